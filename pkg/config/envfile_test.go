package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestParseEnvFile_Values(t *testing.T) {
	tests := []struct {
		name string
		text string
		want map[string]string
	}{
		{name: "empty file", text: "", want: map[string]string{}},
		{name: "plain", text: "A=b\n", want: map[string]string{"A": "b"}},
		{name: "no new line at the end", text: "A=b", want: map[string]string{"A": "b"}},
		{name: "several lines", text: "A=1\nB=2\n", want: map[string]string{"A": "1", "B": "2"}},
		{name: "last one wins", text: "A=1\nA=2\n", want: map[string]string{"A": "2"}},
		{name: "comments and blank lines", text: "# A=1\n\n  # B=2\n; C=3\nD=4\n", want: map[string]string{"D": "4"}},
		{name: "empty value", text: "A=\nB=''\nC=\"\"\n", want: map[string]string{"A": "", "B": "", "C": ""}},
		{name: "export", text: "export A=b\n", want: map[string]string{"A": "b"}},
		{name: "spaces around", text: "  A= b c \t\n", want: map[string]string{"A": "b c"}},
		{name: "equals sign in value", text: "A=b=c\n", want: map[string]string{"A": "b=c"}},
		{name: "hash inside a word", text: "A=b#c\n", want: map[string]string{"A": "b#c"}},
		{
			name: "nothing is expanded",
			text: "A=$HOME\nB=\"${HOME}\"\nC=`id`\n",
			want: map[string]string{"A": "$HOME", "B": "${HOME}", "C": "`id`"},
		},
		{name: "quotes inside a value", text: "A=b'c\"d\n", want: map[string]string{"A": `b'c"d`}},
		{name: "single quotes", text: `A=' b # c \" $d '`, want: map[string]string{"A": ` b # c \" $d `}},
		{name: "double quotes", text: `A=" b # c \" \\ \$ \n "`, want: map[string]string{"A": ` b # c " \ $ \n `}},
		{
			name: "quoted lines",
			text: "A='b\n c\n'\nD=\"e\nf\" \n",
			want: map[string]string{"A": "b\n c\n", "D": "e\nf"},
		},
		{name: "backslash without quotes", text: `A=b\nc`, want: map[string]string{"A": `b\nc`}},
		{name: "byte order mark", text: "\ufeffA=b\n", want: map[string]string{"A": "b"}},
		{name: "lines of Windows", text: "A=b\r\nC='d'\r\n", want: map[string]string{"A": "b", "C": "d"}},
		{name: "beyond ASCII", text: "A=schön\n", want: map[string]string{"A": "schön"}},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := map[string]string{}
			if problems := parseEnvFile("file", test.text, got); len(problems) > 0 {
				t.Fatalf("got problems %q, want none", problems)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("values (- want, + got):\n%s", diff)
			}
		})
	}
}

func TestParseEnvFile_Problems(t *testing.T) {
	tests := []struct {
		name string
		text string
		want Problems
	}{
		{name: "no equals sign", text: "A=1\nhunter2\n", want: Problems{"file:2: " + errAssignment.Error()}},
		{name: "space in the name", text: "A B=hunter2\n", want: Problems{"file:1: " + errAssignment.Error()}},
		{
			name: "space before the equals sign",
			text: "A =hunter2\n",
			want: Problems{"file:1: " + errAssignment.Error()},
		},
		{name: "name begins with a digit", text: "1A=hunter2\n", want: Problems{"file:1: " + errAssignment.Error()}},
		{name: "empty name", text: "=hunter2\n", want: Problems{"file:1: " + errAssignment.Error()}},
		{name: "comment behind a value", text: "A=hunter2 # new\n", want: Problems{"file:1: " + errComment.Error()}},
		{name: "value that begins with a hash", text: "A= #hunter2\n", want: Problems{"file:1: " + errComment.Error()}},
		{
			name: "comment behind quotes",
			text: "A='hunter2' # new\n",
			want: Problems{"file:1: " + errAfterQuote.Error()},
		},
		{
			name: "text behind a quoted value",
			text: "A=\"hunter2\"x\n",
			want: Problems{"file:1: " + errAfterQuote.Error()},
		},
		{name: "open quote", text: "\n\nA='hunter2\nB=1\n", want: Problems{"file:3: " + errOpenQuote.Error()}},
		{
			name: "line after quoted lines",
			text: "A='1\n2'\nhunter2\n",
			want: Problems{"file:3: " + errAssignment.Error()},
		},
		{
			name: "every line is reported",
			text: "hunter2\nA=1\nhunter2\n",
			want: Problems{"file:1: " + errAssignment.Error(), "file:3: " + errAssignment.Error()},
		},
		{name: "NUL byte", text: "A=\x00\n", want: Problems{"file: " + errNotUTF8.Error()}},
		{name: "UTF-16", text: "\xff\xfeA\x00=\x001\x00", want: Problems{"file: " + errNotUTF8.Error()}},
	}

	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := parseEnvFile("file", test.text, map[string]string{})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (- want, + got):\n%s", diff)
			}
		})
	}
}

func TestLoadEnvFiles_Precedence(t *testing.T) {
	for _, name := range []string{"ENVFILE_A", "ENVFILE_B", "ENVFILE_C", "ENVFILE_D"} {
		t.Setenv(name, "") // so that the test's end restores it
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}

	t.Setenv("ENVFILE_A", "environment")
	t.Setenv("ENVFILE_D", "")
	first := writeFile(t, "ENVFILE_A=first\nENVFILE_B=first\nENVFILE_C=first\nENVFILE_D=first\n")
	second := writeFile(t, "ENVFILE_B=second\n")

	if err := LoadEnvFiles([]string{first, second}); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct{ name, variable, want string }{
		{name: "environment before both files", variable: "ENVFILE_A", want: "environment"},
		{name: "later file before the earlier one", variable: "ENVFILE_B", want: "second"},
		{name: "earlier file alone", variable: "ENVFILE_C", want: "first"},
		{name: "empty in the environment", variable: "ENVFILE_D", want: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := os.Getenv(test.variable); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestLoadEnvFiles_SetsNothingAfterAProblem(t *testing.T) {
	good := writeFile(t, "ENVFILE_E=1\n")
	bad := writeFile(t, "nothing\n")
	missing := filepath.Join(t.TempDir(), "missing.env")

	err := LoadEnvFiles([]string{good, bad, missing})
	if err == nil || !strings.Contains(err.Error(), bad+":1: ") || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v, want both problems", err)
	}
	if got, set := os.LookupEnv("ENVFILE_E"); set {
		t.Errorf("ENVFILE_E: got %q, want it unset", got)
	}
}

// FuzzParseEnvFile wants that any text is read without a panic, that a problem shows nothing of it,
// and that a value which was quoted comes back as it was.
func FuzzParseEnvFile(f *testing.F) {
	f.Add("A=1\n# comment\nexport B='two words'\nC=\"three\n\\\"lines\\\"\"\n")
	f.Add("A=1 # 2\nB='\n")
	var known []string
	for _, err := range []error{errAssignment, errComment, errAfterQuote, errOpenQuote} {
		known = append(known, regexp.QuoteMeta(err.Error()))
	}

	fixed := regexp.MustCompile(
		`^file(:\d+: (` + strings.Join(known, "|") + `)|: ` + regexp.QuoteMeta(errNotUTF8.Error()) + `)$`,
	)
	quoted := strings.NewReplacer(`"`, `\"`, `\`, `\\`, "$", `\$`, "`", "\\`")

	f.Fuzz(func(t *testing.T, text string) {
		for _, problem := range parseEnvFile("file", text, map[string]string{}) {
			if !fixed.MatchString(problem) {
				t.Errorf("problem %q is not one of the fixed sentences", problem)
			}
		}

		if !utf8.ValidString(text) || strings.Contains(text, "\x00") || strings.Contains(text, "\r\n") {
			return
		}

		values := map[string]string{}
		problems := parseEnvFile("file", `A="`+quoted.Replace(text)+`"`, values)
		if got := values["A"]; len(problems) > 0 || got != text {
			t.Errorf("got %q and problems %q, want %q", got, problems, text)
		}
	})
}
