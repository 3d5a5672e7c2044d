package deployment

import (
	"testing"
	"time"
)

func lost(t *testing.T, carriesKey bool) Deployment {
	d := fresh()
	d.Target.CarriesKey = carriesKey
	d, _ = walk(t, d, t0, Resolved{Project{"uuid", "gh/acme/api"}}, Start{
		SendBefore: t0.Add(SendWindow),
	}, TriggerUnknown{"reset"})
	d.Looks = 3
	return d
}

func seenPipeline(id string, after time.Duration, more ...func(*PipelineFacts)) PipelineFacts {
	p := PipelineFacts{
		ID:          id,
		State:       "created",
		TriggerType: "api",
		ActorLogin:  "bot",
		Branch:      "main",
		Revision:    sha,
		CreatedAt:   t0.Add(after),
	}

	for _, m := range more {
		m(&p)
	}

	return p
}

func TestJudge(t *testing.T) {
	deadline := t0.Add(SendWindow + rules.TriggerTimeout + rules.LookupGrace)
	early, late, forever := t0.Add(
		10*time.Second,
	), deadline.Add(
		time.Second,
	), deadline.Add(
		rules.LookupGrace+time.Second,
	)

	control := seenPipeline("control", -time.Hour)
	complete := func(list ...PipelineFacts) Listing {
		list = append(list, control)
		return Listing{Mine: list, Project: list, MineComplete: true, ProjectComplete: true, Me: "bot"}
	}

	known := map[string]KnownPipeline{"control": {Row: 9}, "taken": {Row: 8}, "old": {Unclaimed: true}}
	ctl := Control{PipelineID: "control", ShowsKey: true}
	web := func(p *PipelineFacts) { p.TriggerType = "webhook" }
	human := func(p *PipelineFacts) { p.ActorLogin = "alice" }
	branch := func(p *PipelineFacts) { p.Branch = "dev" }
	foundEvidence, absent := map[string]KeyEvidence{
		"p1": KeyFound,
		"p2": KeyAbsent,
	}, map[string]KeyEvidence{
		"p1": KeyAbsent,
		"p2": KeyAbsent,
	}

	for name, c := range map[string]struct {
		key  bool
		l    Lookup
		now  time.Time
		want string
	}{
		"key found": {
			true,
			Lookup{complete(seenPipeline("p2", 2*time.Second), seenPipeline("p1", time.Second)), known, foundEvidence, ctl},
			early,
			"found p1",
		},
		"key found twice, the older is it": {
			true,
			Lookup{
				complete(seenPipeline("p2", 2*time.Second), seenPipeline("p1", time.Second)),
				known,
				map[string]KeyEvidence{"p1": KeyFound, "p2": KeyFound},
				ctl,
			},
			early,
			"found p1 twin p2",
		},
		"key in one that counts as foreign": {
			true,
			Lookup{complete(seenPipeline("old", time.Second)), known, map[string]KeyEvidence{"old": KeyFound}, ctl},
			early,
			"found old",
		},
		"nothing yet": {true, Lookup{complete(), known, nil, ctl}, early, "lookup_pending"},
		"absent":      {true, Lookup{complete(), known, nil, ctl}, late, "lookup_absent"},
		"absent beside a stranger": {
			true,
			Lookup{complete(seenPipeline("p1", time.Second)), known, absent, ctl},
			late,
			"lookup_absent",
		},
		"claimed by another is no suspect": {
			true,
			Lookup{complete(seenPipeline("taken", time.Second)), known, nil, ctl},
			late,
			"lookup_absent",
		},
		"a push is no suspect": {
			true,
			Lookup{complete(seenPipeline("p3", time.Second, web)), known, nil, ctl},
			late,
			"lookup_absent",
		},
		"another user's is no suspect": {
			true,
			Lookup{complete(seenPipeline("p3", time.Second, human)), known, nil, ctl},
			late,
			"lookup_absent",
		},
		"the control is not shown": {
			true,
			Lookup{Listing{MineComplete: true, ProjectComplete: true}, known, nil, ctl},
			late,
			"lookup_pending",
		},
		"the control is never shown": {
			true,
			Lookup{Listing{MineComplete: true, ProjectComplete: true}, known, nil, ctl},
			forever,
			"lookup_inconclusive",
		},
		"mine is always empty": {
			true,
			Lookup{
				Listing{Project: []PipelineFacts{control}, MineComplete: true, ProjectComplete: true},
				known,
				nil,
				ctl,
			},
			late,
			"lookup_absent",
		},
		"never claimed any, project list is": {
			true,
			Lookup{Listing{ProjectComplete: true}, known, nil, Control{}},
			late,
			"lookup_absent",
		},
		"never claimed any, only mine was read": {
			true,
			Lookup{Listing{MineComplete: true}, known, nil, Control{}},
			forever,
			"lookup_inconclusive",
		},
		"lists could not be read": {true, Lookup{Listing{}, known, nil, ctl}, forever, "lookup_pending"},
		"config does not use the key": {
			true,
			Lookup{complete(seenPipeline("p1", time.Second)), known, absent, Control{PipelineID: "control"}},
			forever,
			"lookup_inconclusive",
		},
		"config not compiled yet": {
			true,
			Lookup{complete(seenPipeline("p1", time.Second, func(p *PipelineFacts) { p.State = "pending" })), known, absent, ctl},
			late,
			"lookup_pending",
		},
		"config not readable, one can be it": {
			true,
			Lookup{complete(seenPipeline("p1", time.Second)), known, map[string]KeyEvidence{"p1": KeyUnreadable}, ctl},
			late,
			"found p1",
		},
		"config not readable, other branch": {
			true,
			Lookup{
				complete(seenPipeline("p1", time.Second, branch)),
				known,
				map[string]KeyEvidence{"p1": KeyUnreadable},
				ctl,
			},
			forever,
			"lookup_inconclusive",
		},
		"config not readable, two can be it": {
			true,
			Lookup{
				complete(seenPipeline("p1", time.Second), seenPipeline("p2", time.Second)),
				known,
				map[string]KeyEvidence{"p1": KeyUnreadable, "p2": KeyUnreadable},
				ctl,
			},
			forever,
			"lookup_inconclusive",
		},
		"shown key is another's": {
			true,
			Lookup{complete(seenPipeline("p1", time.Second)), known, map[string]KeyEvidence{"p1": KeyOther}, ctl},
			late,
			"lookup_absent",
		},
		"no key: one can be it": {
			false,
			Lookup{complete(seenPipeline("p1", time.Second)), known, nil, ctl},
			early,
			"found p1",
		},
		"no key: two can be it": {
			false,
			Lookup{complete(seenPipeline("p1", time.Second), seenPipeline("p2", time.Second)), known, nil, ctl},
			late,
			"lookup_inconclusive",
		},
		"no key: wrong revision": {
			false,
			Lookup{complete(seenPipeline("p1", time.Second, func(p *PipelineFacts) { p.Revision = other })), known, nil, ctl},
			late,
			"lookup_inconclusive",
		},
		"no key: long before the attempt": {
			false,
			Lookup{complete(seenPipeline("p1", -5*time.Minute)), known, nil, ctl},
			late,
			"lookup_inconclusive",
		},
		"no key: older than the window": {
			false,
			Lookup{complete(seenPipeline("p2", time.Second), seenPipeline("p1", -11*time.Minute)), known, nil, ctl},
			early,
			"found p2",
		},
		"no key: CircleCI's clock is 10 min off": {
			false,
			Lookup{
				Listing{
					Mine:         []PipelineFacts{seenPipeline("p1", -10*time.Minute)},
					MineComplete: true,
					Offset:       -10 * time.Minute,
				},
				known,
				nil,
				ctl,
			},
			early,
			"found p1",
		},
		"no key: nothing": {false, Lookup{complete(), known, nil, ctl}, late, "lookup_inconclusive"},
		"no key: a foreigner is no suspect": {
			false,
			Lookup{complete(seenPipeline("old", time.Second)), known, nil, ctl},
			late,
			"lookup_inconclusive",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			switch e := rules.Judge(lost(t, c.key), c.l, c.now).(type) {
			case LookupFound:
				got = "found " + e.Pipeline.ID
				for _, twin := range e.Duplicates {
					got += " twin " + twin
				}
			default:
				got = e.event()
			}

			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
