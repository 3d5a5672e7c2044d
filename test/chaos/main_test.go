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

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", parallelTests); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}

	os.Exit(m.Run())
}
