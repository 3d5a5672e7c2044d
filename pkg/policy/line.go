package policy

import "fmt"

// line says how a deployment stands to others of its environment.
func (j *evaluation) line() Outcome {
	if !j.f.Queue.Known {
		return unknown("what else goes there", j.f.Queue.Problem)
	}

	line, how := j.f.Queue.Value, j.p.Concurrency
	switch {
	case line.Started != 0:
		return reject(CodeSuperseded, "superseded by #%d", line.Started)
	case line.Newer != 0 && (how == ConcurrencyReplace || how == ConcurrencyCancel):
		return reject(CodeSuperseded, "superseded by #%d", line.Newer)
	case line.first() == 0:
		return allow("it is first in line")
	case how == ConcurrencyReject:
		return reject(CodeBusy, "deployment %d of the same environment is first", line.first())
	case how == ConcurrencyCancel && line.Holder != 0:
		return j.cancel(line)
	}

	return wait(CodeInLine, "%s%s", line.ahead(), line.position())
}

// cancel has the running one make room.
func (j *evaluation) cancel(line Queue) Outcome {
	if j.here {
		return allow("deployment %d may have to make room", line.Holder)
	}
	j.cancels = line.Holder
	return wait(CodeCanceling, "deployment %d to be canceled", line.Holder)
}

// first is the one before all others; 0: none is.
func (l Queue) first() int64 {
	if l.Holder == 0 && len(l.Before) > 0 {
		return l.Before[0]
	}
	return l.Holder
}

func (l Queue) ahead() string {
	if l.Holder != 0 {
		return fmt.Sprintf("deployment %d of the same environment", l.Holder)
	}
	return fmt.Sprintf("deployment %d of the same environment, which came first", l.first())
}

// position says where it stands, where that is not plain.
func (l Queue) position() string {
	at := len(l.Before) + 1
	if l.Holder != 0 {
		at++
	}
	if at <= 2 {
		return ""
	}
	return fmt.Sprintf(" (position %d)", at)
}
