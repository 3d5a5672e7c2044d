// Package blocks checks the blocks that Seraph renders against Slack's own types: it compiles the golden files of
// pkg/slack with TypeScript and @slack/types, which allow no unknown block, field or kind of text. `make judges`
// installs both.
package blocks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const golden = "../../../pkg/slack/testdata/golden"

// TestTypes_AcceptWhatIsRendered compiles every golden file.
func TestTypes_AcceptWhatIsRendered(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d golden files in %s, error %v, want some", len(files), golden, err)
	}

	source := header
	for i, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		raw = bytes.TrimSpace(raw)
		source += declare(t, fmt.Sprintf("sample%d", i), filepath.Base(file), raw)
	}
	if output, err := compile(t, source); err != nil {
		t.Errorf("compile: %v\n%s", err, output)
	}
}

// TestTypes_RefuseWhatIsWrong wants that the compiler refuses what Slack would refuse: without this, types that allow
// everything would pass the test above.
func TestTypes_RefuseWhatIsWrong(t *testing.T) {
	tests := []struct{ name, blocks string }{
		{
			name:   "a block that does not exist",
			blocks: `[{"type": "heading", "text": {"type": "plain_text", "text": "x"}}]`,
		},
		{name: "markup in a header", blocks: `[{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]`},
		{name: "a field that does not exist", blocks: `[{"type": "divider", "color": "red"}]`},
		{
			name:   "a button without text",
			blocks: `[{"type": "actions", "elements": [{"type": "button", "action_id": "a"}]}]`,
		},
	}

	source := header
	for i, tt := range tests {
		source += fmt.Sprintf("export const sample%d = %s satisfies KnownBlock[];\n", i, tt.blocks)
	}
	output, err := compile(t, source)
	if err == nil {
		t.Error("got no error of the compiler, want one for each row")
	}

	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if line := fmt.Sprintf(".ts(%d,", i+2); !strings.Contains(string(output), line) {
				t.Errorf("got %s, want an error at %s", output, line)
			}
		})
	}
}

const header = `import type { HomeView, KnownBlock, ModalView } from "@slack/types";` + "\n"

// declare writes a golden file as a constant of Slack's type for it.
func declare(t *testing.T, constant, name string, raw []byte) string {
	t.Helper()
	switch {
	case strings.HasPrefix(name, "modal-"):
		return fmt.Sprintf("// %s\nexport const %s = %s satisfies ModalView;\n", name, constant, raw)
	case strings.HasPrefix(name, "home-"):
		return fmt.Sprintf("// %s\nexport const %s = %s satisfies HomeView;\n", name, constant, raw)
	}

	var message struct{ Blocks json.RawMessage }
	if err := json.Unmarshal(raw, &message); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("// %s\nexport const %s = %s satisfies KnownBlock[];\n", name, constant, message.Blocks)
}

// compile compiles a source file beside node_modules, and returns the output of the compiler. Where it is not installed
// the test is skipped; with CI=true it fails.
func compile(t *testing.T, source string) ([]byte, error) {
	t.Helper()
	compiler, err := filepath.Abs("node_modules/typescript/bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(compiler); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("find the compiler: %v: run make judges", err)
		}
		t.Skipf("find the compiler: %v: run make judges", err)
	}

	file, err := os.CreateTemp(".", "sample-*.ts")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(file.Name()) })
	if _, err := file.WriteString(source); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}

	return exec.CommandContext(t.Context(), "node", compiler, "--noEmit", "--strict", "--skipLibCheck",
		"--module", "nodenext", "--target", "es2022", file.Name()).CombinedOutput()
}
