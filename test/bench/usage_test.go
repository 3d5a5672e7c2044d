package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ticks are how Linux counts time in /proc, on every machine that Go runs on.
const ticks = 100

// cpu is what the process has used of the processors since its start; 0 where there is no /proc.
func (p *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold spaces
	return sum(strings.Fields(rest)[11:13])       // utime, stime
}

// machine is what everybody has used of all processors.
func machine() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	return sum(append(fields[1:4:4], fields[6:9]...)) // user, nice, system; irq, softirq, steal
}

func sum(fields []string) time.Duration {
	var all int64
	for _, field := range fields {
		n, _ := strconv.ParseInt(field, 10, 64) // the kernel writes numbers
		all += n
	}
	return time.Duration(all) * time.Second / ticks
}

// itself is what this test has used.
func itself() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // it cannot fail for oneself
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// usage says who used the processors. A machine that others use as well makes times longer; ratios
// and CPU say more then.
type usage struct {
	at                    time.Time
	server, test, machine time.Duration
}

func (p *process) usage(b *testing.B) usage {
	b.Helper()
	return usage{time.Now(), p.cpu(b), itself(), machine()}
}

// since is the usage between two moments.
func (u usage) since(before usage) used {
	passed := u.at.Sub(before.at).Seconds()
	part := func(d time.Duration) float64 { return 100 * d.Seconds() / passed }
	server, test := part(u.server-before.server), part(u.test-before.test)
	return used{server, test, part(u.machine-before.machine) - server - test}
}

// used is shares of a core, in percent.
type used struct{ server, test, rest float64 }

func (u used) String() string {
	return fmt.Sprintf(
		"it used %.1f %% of a core, the vendors and senders %.0f %%, the rest of the machine %.0f %%",
		u.server,
		u.test,
		max(u.rest, 0),
	)
}
