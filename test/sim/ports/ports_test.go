package ports

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// helperVariable makes TestFree_NotThoseOfAnotherProcess print ports instead, in the process that it starts.
const helperVariable = "SERAPH_TEST_PORTS_HELPER"

// TestFree_EachOnce takes more ports than a block has.
func TestFree_EachOnce(t *testing.T) {
	seen := map[string]bool{}
	for range 2 * blockSize {
		addr, err := Free()
		if err != nil {
			t.Fatal(err)
		}
		if seen[addr] {
			t.Fatalf("got %s twice", addr)
		}
		seen[addr] = true
	}
}

// TestFree_NotWhereSomethingListens listens on the next port of the block.
func TestFree_NotWhereSomethingListens(t *testing.T) {
	if err := ownBlock(); err != nil {
		t.Fatal(err)
	}
	taken := address(next)
	l, err := net.Listen("tcp", taken)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if addr, err := Free(); err != nil || addr == taken {
		t.Errorf("got %s, %v, want another port", addr, err)
	}
}

// TestFree_NotThoseOfAnotherProcess takes ports in two processes at the same time.
func TestFree_NotThoseOfAnotherProcess(t *testing.T) {
	if os.Getenv(helperVariable) != "" {
		for range 10 {
			addr, err := Free()
			if err != nil {
				t.Fatal(err)
			}
			os.Stdout.WriteString("port " + addr + "\n")
		}
		os.Stdin.Read(make([]byte, 1)) // until the other process has looked
		return
	}

	seen := map[string]bool{}
	for range 10 {
		addr, err := Free()
		if err != nil {
			t.Fatal(err)
		}
		seen[addr] = true
	}

	for _, addr := range portsOfAnotherProcess(t) {
		if seen[addr] {
			t.Errorf("got %s in two processes", addr)
		}
	}
}

// portsOfAnotherProcess returns ten ports of a process that runs until the test ends.
func portsOfAnotherProcess(t *testing.T) []string {
	t.Helper()
	helper := exec.Command(os.Args[0], "-test.run=^TestFree_NotThoseOfAnotherProcess$")
	helper.Env = append(os.Environ(), helperVariable+"=1")
	in, err := helper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := helper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := helper.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		in.Close() // it ends with its input
		helper.Wait()
	})

	var all []string
	for lines := bufio.NewScanner(out); len(all) < 10 && lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), "port "); ok {
			all = append(all, addr)
		}
	}
	if len(all) != 10 {
		t.Fatalf("got %d ports of another process, want 10", len(all))
	}
	return all
}
