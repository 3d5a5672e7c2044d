package policy

import (
	"testing"
)

var afterCases = []verdictCase{
	{
		name:  "succeeded",
		given: combine(requireAfter("staging"), priorResult("staging", PriorSucceeded)),
		want:  "allow",
	},
	{
		name:  "case of the environment does not count",
		given: combine(requireAfter("Staging"), priorResult("staging", PriorSucceeded)),
		want:  "allow",
	},
	{
		name:  "in progress there",
		given: combine(requireAfter("staging"), priorResult("staging", PriorOpen)),
		want:  "wait after_pending: a1b2c3d to succeed in staging",
	},
	{
		name:  "never deployed there",
		given: combine(requireAfter("staging"), priorResult("staging", PriorNone)),
		want:  "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		name:  "failed there",
		given: combine(requireAfter("staging"), priorResult("staging", PriorFailed)),
		want:  "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		name:  "no fact",
		given: requireAfter("staging"),
		want:  "wait unknown: the result of a1b2c3d in staging, which could not be read",
	},
	{
		name:  "unexpected result",
		given: combine(requireAfter("staging"), priorResult("staging", "odd")),
		want:  "wait unknown: the result of a1b2c3d in staging, which could not be read (unexpected answer \"odd\")",
	},
	{
		name:  "the first environment of the list",
		given: combine(toEnvironment("Dev"), requireAfter("dev", "staging"), priorResult("staging", PriorNone)),
		want:  "allow",
	},
	{
		name: "the second environment, first succeeded",
		given: combine(
			toEnvironment("staging"),
			requireAfter("dev", "Staging"),
			priorResult("dev", PriorSucceeded),
		),
		want: "allow",
	},
	{
		name: "the second environment, first missing",
		given: combine(
			toEnvironment("staging"),
			requireAfter("dev", "staging"),
			priorResult("dev", PriorNone),
			priorResult("staging", PriorSucceeded),
		),
		want: "reject after_missing: a1b2c3d has not succeeded in dev",
	},
	{
		name: "two of two succeeded",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorSucceeded),
			priorResult("staging", PriorSucceeded),
		),
		want: "allow",
	},
	{
		name: "one of two missing",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorSucceeded),
			priorResult("staging", PriorNone),
		),
		want: "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		name: "reject before wait",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorOpen),
			priorResult("staging", PriorFailed),
		),
		want: "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		name: "two missing, the first is named",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorNone),
			priorResult("staging", PriorNone),
		),
		want: "reject after_missing: a1b2c3d has not succeeded in dev",
	},
	{
		name: "value without being known",
		given: combine(
			requireAfter("staging"),
			func(s *scenario) {
				s.facts.After["staging"] = Fact[PriorResult]{Value: PriorSucceeded, Problem: "rows"}
			},
		),
		want: "wait unknown: the result of a1b2c3d in staging, which could not be read (rows)",
	},
	{
		name:  "one unknown, one missing",
		given: combine(requireAfter("dev", "staging"), priorResult("staging", PriorNone)),
		want:  "reject after_missing: a1b2c3d has not succeeded in staging",
	},
	{
		name: "one in progress, one succeeded",
		given: combine(
			requireAfter("dev", "staging"),
			priorResult("dev", PriorOpen),
			priorResult("staging", PriorSucceeded),
		),
		want: "wait after_pending: a1b2c3d to succeed in dev",
	},
}

func TestEvaluate_After(t *testing.T) { runVerdictCases(t, afterCases) }
