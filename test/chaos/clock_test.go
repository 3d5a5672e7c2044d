package chaos

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// Nothing in the program lets a test set its clock, and it reads the clock without the C library, so that
// libfaketime has no effect either. The large run therefore builds the program with another time.Now: go
// build -overlay replaces the file of the standard library by a copy that reads an offset from a page of
// memory, which the test writes.

// clockPage is the memory that a process reads its clock's faults from. All of it is in nanoseconds.
type clockPage struct {
	ahead  int64 // added to the wall clock
	stands int64 // the wall clock stands still at this time since 1970; 0: it goes
	slept  int64 // how long the monotonic clock stood still
}

// clockVariable names the file with the page.
const clockVariable = "CHAOS_CLOCK"

// clockSource is the file that the overlay adds to package time.
const clockSource = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var clock = openClock()

var sleptBefore = clock.slept

type clockPage struct{ ahead, stands, slept int64 }

func openClock() *clockPage {
	name, ok := syscall.Getenv("` + clockVariable + `")
	if !ok {
		return &clockPage{}
	}
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	data, err := syscall.Mmap(fd, 0, int(unsafe.Sizeof(clockPage{})), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return (*clockPage)(unsafe.Pointer(&data[0]))
}

func chaosNow() (sec int64, nsec int32, mono int64) {
	sec, nsec, mono = runtimeNow()
	wall := sec*1e9 + int64(nsec) + atomic.LoadInt64(&clock.ahead)
	if stands := atomic.LoadInt64(&clock.stands); stands != 0 {
		wall = stands
	}
	return wall / 1e9, int32(wall % 1e9), mono - slept()
}

func chaosNano() int64 { return runtimeNano() - slept() }

func slept() int64 { return atomic.LoadInt64(&clock.slept) - sleptBefore }
`

// writeOverlay writes the overlay and returns its path.
func writeOverlay(t *testing.T) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}

	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}

	text := string(source)
	for _, c := range []struct{ old, replacement string }{
		{"sec, nsec, mono := runtimeNow()", "sec, nsec, mono := chaosNow()"},
		{"subMono(runtimeNano()-startNano, t.ext)", "subMono(chaosNano()-startNano, t.ext)"},
		{"subMono(t.ext, runtimeNano()-startNano)", "subMono(t.ext, chaosNano()-startNano)"},
	} {
		if strings.Count(text, c.old) != 1 {
			t.Fatalf("%s holds %q %d times, want once", original, c.old, strings.Count(text, c.old))
		}
		text = strings.Replace(text, c.old, c.replacement, 1)
	}

	folder := t.TempDir()
	replaced := map[string]string{
		original: filepath.Join(folder, "time.go"),
		filepath.Join(filepath.Dir(original), "chaos.go"): filepath.Join(folder, "chaos.go"),
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}

	files := map[string]string{"time.go": text, "chaos.go": clockSource, "overlay.json": string(overlay)}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	return filepath.Join(folder, "overlay.json")
}

// newClock gives a process a clock that the test sets.
func (p *process) newClock(t *testing.T) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "clock")
	size := int(unsafe.Sizeof(clockPage{}))
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}

	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() // the memory stays mapped
	data, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}

	p.clock = (*clockPage)(unsafe.Pointer(&data[0]))
	p.env = append(p.env, clockVariable+"="+name)
}

// maxClockError is how far the clock of a process may be wrong: the clocks of two replicas stay within 4 s,
// of which deploy/docs/operate.md says "within a few seconds".
const maxClockError = 2 * time.Second

// stepClock sets the clock of a process forward or back, or lets it stand still for a while.
func (h *harness) stepClock(t *testing.T, rng *rand.Rand) {
	p := h.processes[rng.IntN(len(h.processes))]
	if rng.IntN(3) > 0 {
		ahead := interval{-maxClockError, maxClockError}.pick(rng)
		t.Logf("the clock of %s is %s ahead", p.name, ahead.Round(time.Millisecond))
		atomic.StoreInt64(&p.clock.ahead, int64(ahead))
		return
	}

	atomic.StoreInt64(&p.clock.ahead, 0)
	atomic.StoreInt64(&p.clock.stands, time.Now().UnixNano())
	pause(t.Context(), maxClockError)
	atomic.StoreInt64(&p.clock.stands, 0)
}

// suspend stops a process as the suspension of its machine does: for it the monotonic clock does not go
// on meanwhile.
func (h *harness) suspend(t *testing.T, rng *rand.Rand) {
	p := h.processes[rng.IntN(len(h.processes))]
	h.suspendFor(t.Context(), p, h.frozen)
}

func (h *harness) suspendFor(ctx context.Context, p *process, duration time.Duration) {
	began := time.Now()
	if p.freeze() {
		pause(ctx, duration)
		atomic.AddInt64(&p.clock.slept, int64(time.Since(began)))
		p.thaw()
	}
}
