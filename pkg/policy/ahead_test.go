package policy

import (
	"strings"
	"testing"
)

var aheadCases = []verdictCase{
	{name: "nothing deployed", given: requireAhead(Known(""), Unknown[Comparison]("")), want: "allow"},
	{name: "same commit", given: requireAhead(Known(newCommit), Unknown[Comparison]("")), want: "allow"},
	{
		name:  "same commit in capitals",
		given: requireAhead(Known(strings.ToUpper(newCommit)), Unknown[Comparison]("")),
		want:  "allow",
	},
	{name: "ahead", given: requireAhead(Known(oldCommit), Known(ComparisonAhead)), want: "allow"},
	{name: "identical", given: requireAhead(Known(oldCommit), Known(ComparisonIdentical)), want: "allow"},
	{
		name:  "behind",
		given: requireAhead(Known(oldCommit), Known(ComparisonBehind)),
		want:  "reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed to production (behind)",
	},
	{
		name:  "diverged",
		given: requireAhead(Known(oldCommit), Known(ComparisonDiverged)),
		want:  "reject not_ahead: a1b2c3d does not contain 0f1e2d3, which is deployed to production (diverged)",
	},
	{
		name:  "unexpected comparison",
		given: requireAhead(Known(oldCommit), Known(Comparison("sideways"))),
		want: "wait unknown: the comparison of a1b2c3d with 0f1e2d3, which could not be read " +
			`(unexpected answer "sideways")`,
	},
	{
		name:  "comparison unknown",
		given: requireAhead(Known(oldCommit), Unknown[Comparison]("404")),
		want:  "wait unknown: the comparison of a1b2c3d with 0f1e2d3, which could not be read (404)",
	},
	{
		name:  "deployed commit unknown",
		given: requireAhead(Unknown[string]("rows"), Known(ComparisonAhead)),
		want:  "wait unknown: the commit deployed to production, which could not be read (rows)",
	},
}

func TestEvaluate_RequireAhead(t *testing.T) { runVerdictCases(t, aheadCases) }
