package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completers are the shells in which completions are tried out. Each script loads them as `seraph completion --help`
// says, and prints what the shell would offer after the line in LINE, which ends with a space. PowerShell is not
// in Debian, so its script is only compared with its beginning, in package cli.
var completers = []struct {
	shell  string
	args   []string
	needs  string // a file without which the shell does not complete
	script string
}{
	{
		shell: "bash",
		args:  []string{"--norc", "-c"},
		needs: "/usr/share/bash-completion/bash_completion",
		script: `
			source /usr/share/bash-completion/bash_completion
			source <(seraph completion bash)
			COMP_LINE=$LINE COMP_POINT=${#LINE} COMP_TYPE=9
			IFS=' ' read -ra COMP_WORDS <<<"$LINE"
			COMP_WORDS+=("") COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
			$(complete -p seraph | sed 's/.*-F \([^ ]*\) .*/\1/')
			printf '%s\n' "${COMPREPLY[@]}"`,
	},
	{
		shell: "zsh",
		args:  []string{"-f", "-c"},
		// _describe shows what _seraph puts into completions. Without a terminal there is nobody to show it to.
		script: `
			autoload -Uz compinit && compinit -u -D
			source <(seraph completion zsh)
			_describe() { print -rl -- "${completions[@]}" }
			words=(${=LINE} "") CURRENT=$#words
			$_comps[seraph]`,
	},
	{
		shell:  "fish",
		args:   []string{"--no-config", "-c"},
		script: `seraph completion fish | source; complete -C $LINE`,
	},
}

// TestCompletion_InShells checks that each shell loads the script and completes what the service knows.
func TestCompletion_InShells(t *testing.T) {
	t.Parallel()
	onlySQLite(t)
	h := newHarness(t, setup{}).start()
	h.expectEnd(h.deploy("acme/api", "production", "success"), "success", "")

	for _, c := range completers {
		t.Run(c.shell, func(t *testing.T) {
			t.Parallel()
			_, err := exec.LookPath(c.shell)
			if err == nil && c.needs != "" {
				_, err = os.Stat(c.needs)
			}
			if err != nil && os.Getenv("CI") != "true" {
				t.Skipf("%s cannot complete here: %v", c.shell, err)
			}
			if err != nil {
				t.Fatal(err)
			}

			for _, test := range []struct{ line, want string }{
				{line: "seraph ", want: "rollback"},
				{line: "seraph status ", want: "acme/api"},
				{line: "seraph status acme/api ", want: "production"},
				{line: "seraph deploy acme/api@main ", want: "production"},
			} {
				h.expectCompletion(t, c.shell, append(slices.Clone(c.args), c.script), test.line, test.want)
			}
		})
	}
}

// expectCompletion wants one word among those that a shell offers. A busy service may miss the time that completions
// wait, so it is asked again.
func (h *harness) expectCompletion(t *testing.T, shell string, args []string, line, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	defer cancel()
	var out []byte
	for ctx.Err() == nil {
		cmd := exec.CommandContext(ctx, shell, args...)
		cmd.Env = []string{
			"HOME=" + t.TempDir(),
			"PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH"),
			"LINE=" + line,
			"SERAPH_API_URL=http://" + h.addr,
			"SERAPH_API_TOKEN=" + apiToken,
		}

		var err error
		if out, err = cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
			return
		}
		for offered := range strings.Lines(string(out)) {
			word := strings.FieldsFunc(offered, func(r rune) bool { return strings.ContainsRune(": \t\n", r) })
			if len(word) > 0 && word[0] == want {
				return
			}
		}
	}

	t.Errorf("%s: got %q, want %s", line, out, want)
}
