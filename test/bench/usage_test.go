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

// ticksPerSecond is the unit of times in /proc on every Linux that Go runs on.
const ticksPerSecond = 100

// cpu returns the CPU time of the process since its start; 0 where there is no /proc.
func (p *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}

	_, rest, _ := strings.Cut(string(text), ") ") // the name may contain spaces
	return sumTicks(strings.Fields(rest)[11:13])  // utime, stime
}

// machineCPU returns the CPU time of all processes of the machine.
func machineCPU() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}

	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	return sumTicks(append(fields[1:4:4], fields[6:9]...)) // user, nice, system; irq, softirq, steal
}

func sumTicks(fields []string) time.Duration {
	var all int64
	for _, field := range fields {
		n, _ := strconv.ParseInt(field, 10, 64) // written by the kernel, always a number
		all += n
	}
	return time.Duration(all) * time.Second / ticksPerSecond
}

// testCPU returns the CPU time of the test process, with its simulators and senders.
func testCPU() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // cannot fail for RUSAGE_SELF
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// usage is the CPU time at a moment. Other processes on the machine make durations longer; ratios and
// CPU are more exact then.
type usage struct {
	at                    time.Time
	server, test, machine time.Duration
}

func (p *process) usage(b *testing.B) usage {
	b.Helper()
	return usage{time.Now(), p.cpu(b), testCPU(), machineCPU()}
}

// since returns the usage between two moments.
func (u usage) since(before usage) usageShare {
	passed := u.at.Sub(before.at).Seconds()
	part := func(d time.Duration) float64 { return 100 * d.Seconds() / passed }
	server, test := part(u.server-before.server), part(u.test-before.test)
	return usageShare{
		server: server,
		test:   test,
		others: part(u.machine-before.machine) - server - test,
	}
}

// usageShare has shares of a core, in percent.
type usageShare struct{ server, test, others float64 }

func (u usageShare) String() string {
	return fmt.Sprintf("share of a core: service %.1f %%, simulators and senders %.0f %%, other processes %.0f %%",
		u.server, u.test, max(u.others, 0))
}
