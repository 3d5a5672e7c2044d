// Package e2e runs the real program as a process between the simulated GitHub and CircleCI, with real
// HTTP, signatures and database. Its tests kill and stop the process, make calls fail and restore old
// databases. They look at the program from outside only: at the statuses at GitHub, the pipelines at
// CircleCI, and the program's answers and log.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is the path of the program under test, which is built once. It has the race detector if the
// tests have it.
var binary string

// parallelTests is how many tests run at the same time. It does not depend on the number of CPUs, because
// the tests mostly wait.
const parallelTests = "6"

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

	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "seraph")

	args := []string{"build", "-ldflags", "-X main.version=v1.2.3-e2e -X main.commit=0123abc", "-o", binary}
	if raceEnabled {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, "../../cmd/seraph")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}

	if err := flag.Set("test.parallel", parallelTests); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	return m.Run()
}
