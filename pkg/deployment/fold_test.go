package deployment

import (
	"testing"
	"time"
)

// One row for each thing that CircleCI is known to show (API v2 reference and guides: workflow
// states, dynamic config, automatic reruns).
func TestFoldPipeline(t *testing.T) {
	errored := progress("errored")
	errored.Pipeline.Errors = []string{"Unexpected argument(s): x", "second"}
	for name, c := range map[string]struct {
		p    Progress
		kind FoldKind
		end  State
	}{
		"config error":                      {errored, FoldEnded, Errored},
		"config error with workflows":       {progress("errored", wf("a", "success")), FoldEnded, Errored},
		"refused while its setup runs":      {progress("errored", wf("s", "running", setupTag)), FoldEnded, Errored},
		"list still empty":                  {progress("pending"), FoldQuiet, ""},
		"no workflow matched":               {progress("created"), FoldQuiet, ""},
		"success":                           {progress("created", wf("a", "success")), FoldEnded, Succeeded},
		"running":                           {progress("created", wf("a", "running")), FoldActive, ""},
		"queued for a serial group":         {progress("created", wf("a", "queued")), FoldActive, ""},
		"failing still runs":                {progress("created", wf("a", "failing")), FoldActive, ""},
		"status null":                       {progress("created", wf("a", "")), FoldActive, ""},
		"status unheard of":                 {progress("created", wf("a", "paused-by-moon")), FoldActive, ""},
		"on hold":                           {progress("created", wf("a", "on_hold")), FoldHeld, ""},
		"on hold while another runs":        {progress("created", wf("a", "on_hold"), wf("b", "running")), FoldActive, ""},
		"on hold while another failed":      {progress("created", wf("a", "on_hold"), wf("b", "failed")), FoldHeld, ""},
		"failed":                            {progress("created", wf("a", "failed")), FoldEnded, Failed},
		"error":                             {progress("created", wf("a", "error")), FoldEnded, Failed},
		"canceled":                          {progress("created", wf("a", "canceled")), FoldEnded, Canceled},
		"unauthorized":                      {progress("created", wf("a", "unauthorized")), FoldEnded, Errored},
		"not run":                           {progress("created", wf("a", "not_run")), FoldEnded, Errored},
		"not run beside success":            {progress("created", wf("a", "not_run"), wf("b", "success")), FoldEnded, Succeeded},
		"not run after success":             {progress("created", wf("b", "success"), wf("c", "not_run")), FoldEnded, Succeeded},
		"failed beside success":             {progress("created", wf("a", "success"), wf("b", "failed")), FoldEnded, Failed},
		"failed while another runs":         {progress("created", wf("a", "failed"), wf("b", "running")), FoldActive, ""},
		"failed beats canceled":             {progress("created", wf("a", "canceled"), wf("b", "failed")), FoldEnded, Failed},
		"failed beats unauthorized":         {progress("created", wf("a", "unauthorized"), wf("b", "failed")), FoldEnded, Failed},
		"unauthorized beats canceled":       {progress("created", wf("a", "unauthorized"), wf("b", "canceled")), FoldEnded, Errored},
		"canceled beats success":            {progress("created", wf("a", "success"), wf("b", "canceled")), FoldEnded, Canceled},
		"rerun of a failed one succeeds":    {progress("created", wf("a", "failed"), wf("a", "success", at(time.Minute))), FoldEnded, Succeeded},
		"rerun listed before the old one":   {progress("created", wf("a", "success", at(time.Minute)), wf("a", "failed")), FoldEnded, Succeeded},
		"rerun of a good one fails":         {progress("created", wf("a", "success"), wf("a", "failed", at(time.Minute))), FoldEnded, Failed},
		"rerun runs":                        {progress("created", wf("a", "failed"), wf("a", "running", at(time.Minute))), FoldActive, ""},
		"setup runs":                        {progress("setup", wf("s", "running", setupTag)), FoldActive, ""},
		"setup done, continuation to come":  {progress("setup", wf("s", "success", setupTag)), FoldQuiet, ""},
		"setup done, continuation runs":     {progress("created", wf("s", "success", setupTag), wf("a", "running")), FoldActive, ""},
		"setup done, continuation succeeds": {progress("created", wf("s", "success", setupTag), wf("a", "success")), FoldEnded, Succeeded},
		"setup failed":                      {progress("setup", wf("s", "failed", setupTag)), FoldEnded, Failed},
		"setup held":                        {progress("setup", wf("s", "on_hold", setupTag)), FoldHeld, ""},
		"setup canceled":                    {progress("setup", wf("s", "canceled", setupTag)), FoldEnded, Canceled},
		"setup and workflow share a name":   {progress("created", wf("a", "success", setupTag), wf("a", "failed")), FoldEnded, Failed},
		"auto-rerun announced":              {progress("created", wf("a", "failed", auto(0, 2))), FoldQuiet, Failed},
		"auto-rerun used up":                {progress("created", wf("a", "failed", auto(2, 2))), FoldEnded, Failed},
		"auto-rerun after a cancel":         {progress("created", wf("a", "canceled", auto(0, 2))), FoldEnded, Canceled},
		"auto-rerun runs":                   {progress("created", wf("a", "failed", auto(0, 2)), wf("a", "running", auto(1, 2), at(time.Second))), FoldActive, ""},
		"auto-rerun succeeded":              {progress("created", wf("a", "failed", auto(0, 2)), wf("a", "success", auto(1, 2), at(time.Second))), FoldEnded, Succeeded},
	} {
		t.Run(name, func(t *testing.T) {
			if f := FoldPipeline(c.p); f.Kind != c.kind || c.end != "" && f.State != c.end {
				t.Errorf("got %+v, want %s %s", f, c.kind, c.end)
			}

			glance := Progress{Workflows: c.p.Workflows} // says the same while one is busy, and nothing otherwise
			busy := c.kind == FoldActive || c.kind == FoldHeld ||
				c.p.Pipeline.State == pipelineErrored && len(Active(c.p)) > 0
			if same := FoldPipeline(glance) == FoldPipeline(c.p); glance.Busy() != busy ||
				busy && !same && c.p.Pipeline.State != pipelineErrored {
				t.Errorf("at a glance: busy %v, %+v", glance.Busy(), FoldPipeline(glance))
			}
		})
	}
}

func TestQuietPipelinesEndAfterTheGrace(t *testing.T) {
	for name, c := range map[string]struct {
		p    Progress
		end  State
		slot bool
	}{
		"no workflow":         {progress("created"), Errored, false},
		"still pending":       {progress("pending"), Errored, true},
		"never continued":     {progress("created", wf("s", "success", setupTag)), Errored, false},
		"rerun that never is": {progress("created", wf("a", "failed", auto(0, 1))), Failed, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := walk(t, started(t), t0, Polled{Progress: c.p})
			d, _ = walk(t, d, t0.Add(rules.WorkflowGrace-time.Second), Polled{Progress: c.p})
			if d.State != Running {
				t.Fatalf("ended early: %s", d.State)
			}

			if d, _ = walk(t, d, t0.Add(rules.WorkflowGrace), Polled{
				Progress: c.p,
			}); d.State != c.end || d.HoldsSlot() != c.slot {
				t.Errorf("got %s, holds its slot: %v", d.State, d.HoldsSlot())
			}
		})
	}
}
