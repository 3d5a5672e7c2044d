package chaos

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// parallelTests is how many runs go on at the same time. It does not depend on the number of CPUs, because the runs
// mostly wait.
const parallelTests = "4"

// programs is the folder of the programs that build has built.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if err := flag.Set("test.parallel", parallelTests); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	var err error
	if programs, err = os.MkdirTemp("", "seraph-chaos-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(programs)

	return m.Run()
}
