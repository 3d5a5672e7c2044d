package policy

import (
	"reflect"
	"slices"
	"strings"
)

// WeakerIn returns the names of the rules that another policy does not have, and of those that are looser in it: that
// let through all that this policy lets through, and more. Rules that only differ, such as two lists of people of
// whom none is in the other, are in neither. Only rules that can keep a deployment from starting count.
func (p Policy) WeakerIn(other Policy) (missing, looser []string) {
	compare := func(rule string, has, otherHas bool, isLooser func() bool) {
		switch {
		case has && !otherHas:
			missing = append(missing, rule)
		case has && isLooser():
			looser = append(looser, rule)
		}
	}

	compare(RuleAllow, p.Allow != nil, other.Allow != nil, func() bool { return p.Allow.looserIn(*other.Allow) })
	compare(RuleRefs, len(p.Refs) > 0, len(other.Refs) > 0, func() bool { return looserRefs(p.Refs, other.Refs) })
	compare(RuleRequireAhead, p.RequireAhead, other.RequireAhead, func() bool { return false })
	compare(RuleChecks, p.Checks != nil, other.Checks != nil, func() bool { return p.Checks.looserIn(*other.Checks) })
	compare(RuleAfter, len(p.After) > 0, len(other.After) > 0, func() bool {
		return isStrictSubset(lowerAll(other.After), lowerAll(p.After))
	})
	compare(RuleFreeze, len(p.Freezes) > 0, len(other.Freezes) > 0, func() bool {
		return isStrictSubset(other.Freezes, p.Freezes)
	})
	compare(RuleApprovals, p.Approvals != nil, other.Approvals != nil, func() bool {
		return p.Approvals.looserIn(*other.Approvals)
	})

	return missing, looser
}

// looserIn says whether other subjects hold all of these people, or all of these apps, and more.
func (s Subjects) looserIn(other Subjects) bool {
	if isStrictSubset(slugs(s.Apps), slugs(other.Apps)) {
		return true
	}

	held, otherHeld := lowerAll(slices.Concat(s.Users, s.Teams)), lowerAll(slices.Concat(other.Users, other.Teams))
	least, otherLeast := s.leastPermission(), other.leastPermission()
	switch {
	case otherLeast > least:
		return false
	case s.hasNoList() && other.hasNoList():
		return otherLeast < least
	case s.hasNoList():
		return false
	case other.hasNoList():
		return true
	default:
		return isStrictSubset(held, otherHeld) || otherLeast < least && isSubset(held, otherHeld)
	}
}

// leastPermission ranks the permission that people need. Whoever creates a deployment has at least write permission:
// GitHub asks for it.
func (s Subjects) leastPermission() int {
	return max(permissionRank(s.Permission), permissionRank(PermissionWrite))
}

// looserIn says whether other approvals need fewer people, or can be given by all of these and more.
func (a Approvals) looserIn(other Approvals) bool {
	givers := lowerAll(slices.Concat(a.Users, a.Teams))
	otherGivers := lowerAll(slices.Concat(other.Users, other.Teams))
	return other.Count < a.Count ||
		isStrictSubset(givers, otherGivers) && isSubset(a.Tokens, other.Tokens) ||
		isStrictSubset(a.Tokens, other.Tokens) && isSubset(givers, otherGivers)
}

// looserIn says whether another rule of the same kind leaves some of these checks out.
func (c Checks) looserIn(other Checks) bool {
	return c.Set == other.Set && (isStrictSubset(other.Names, c.Names) ||
		isStrictSubset(c.Ignore, other.Ignore) && reflect.DeepEqual(c.Names, other.Names))
}

// looserRefs says whether other globs allow all refs that these allow, and more.
func looserRefs(globs, others []string) bool {
	return coverAll(others, globs) && !coverAll(globs, others)
}

// coverAll says whether each of the others is covered by one of the globs. It is never true wrongly: a glob is
// matched as a text whose * only a * can match.
func coverAll(globs, others []string) bool {
	covers := func(glob, other string) bool {
		same := func(g, o rune) bool { return g == o && g != '*' || g == '?' && o != '*' }
		return MatchFunc(fullRef(glob), fullRef(other), same)
	}
	return !slices.ContainsFunc(others, func(other string) bool {
		return !slices.ContainsFunc(globs, func(glob string) bool { return covers(glob, other) })
	})
}

// fullRef writes a glob of refs out: a bare one is for branches.
func fullRef(glob string) string {
	for _, prefix := range []string{"refs/", "heads/", "tags/", "pull/"} {
		if strings.HasPrefix(glob, prefix) {
			return "refs/" + strings.TrimPrefix(glob, "refs/")
		}
	}
	return "refs/heads/" + glob
}

func slugs(apps []string) []string {
	all := lowerAll(apps)
	for i, app := range all {
		all[i] = appSlug(app)
	}
	return all
}

// isSubset says whether each element of a list is in another one.
func isSubset[T any](list, of []T) bool {
	return !slices.ContainsFunc(list, func(e T) bool {
		return !slices.ContainsFunc(of, func(o T) bool { return reflect.DeepEqual(e, o) })
	})
}

func isStrictSubset[T any](list, of []T) bool { return isSubset(list, of) && !isSubset(of, list) }
