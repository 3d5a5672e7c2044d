// Package e2e runs the real program, as a process of its own, between the simulated GitHub and the
// simulated CircleCI: real HTTP, real signatures, a real SQLite file. Its tests kill the process,
// stop it, break the calls and restore old files, and look only from outside: what GitHub was told,
// which pipelines there are, and what the program answers and logs.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the program under test, built once. It has the race detector where the tests have it.
var binary string

// processes is how many programs run side by side; they wait more than they work.
const processes = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "seraph-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	defer os.RemoveAll(dir) // a leftover in the temporary folder is harmless
	binary = filepath.Join(dir, "seraph")
	args := []string{"build", "-ldflags", "-X main.version=v1.2.3-e2e -X main.commit=0123abc", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../../cmd/seraph")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the program cannot be built: %v\n%s", err, out)
		return 1
	}
	if err := flag.Set("test.parallel", processes); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	return m.Run()
}
