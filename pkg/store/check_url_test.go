package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckURL wants words for what Open could not open, and that looking makes no file.
func TestCheckURL(t *testing.T) {
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}

	notes := write("notes.txt", "these are not the tables of a database")
	short := write("short", "SQL")
	empty := write("empty.db", "")
	database := write("good.db", header+strings.Repeat("\x00", 84))

	for _, test := range []struct {
		name, url string
		want      string // empty: it can be opened
	}{
		{name: "new file", url: "sqlite:" + folder + "/new.db"},
		{name: "new file in new folders", url: "sqlite:" + folder + "/a/b/new.db"},
		{name: "new file beside the program", url: "sqlite:new.db"},
		{name: "empty file", url: "sqlite:" + empty},
		{name: "database", url: "sqlite:" + database},
		{name: "PostgreSQL", url: "postgres://u:p@h/n?sslmode=require"},
		{name: "folder", url: "sqlite:" + folder, want: "the path is a folder"},
		{name: "device", url: "sqlite:/dev/null", want: "keeps no data"},
		{name: "another file", url: "sqlite:" + notes, want: "not an SQLite database"},
		{name: "short file", url: "sqlite:" + short, want: "not an SQLite database"},
		{name: "below a file", url: "sqlite:" + notes + "/x.db", want: "cannot be reached"},
		{name: "unknown sslmode", url: "postgres://u:hunter2@h/n?sslmode=some", want: "the PostgreSQL driver cannot read it"},
		{name: "port of words", url: "postgres://u:hunter2@h:port/n", want: "the PostgreSQL driver cannot read it"},
		{name: "password not escaped", url: "postgres://u:hunter2%@h/n", want: "the PostgreSQL driver cannot read it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := CheckURL(test.url)
			if test.want == "" {
				if err != nil {
					t.Errorf("got %v, want no error", err)
				}
				return
			}

			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, which shows the password", err)
			}
		})
	}

	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 4 {
		t.Errorf("got %d files, want the 4 that were there", len(entries))
	}
}

func TestCheckURL_FolderThatMayNotBeWritten(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}

	folder := t.TempDir()
	if err := os.Chmod(folder, 0o500); err != nil {
		t.Fatal(err)
	}

	const want = "no file can be made in the folder"
	if err := CheckURL("sqlite:" + folder + "/x.db"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
