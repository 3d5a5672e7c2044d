package github

import (
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

// requireList rejects a response without a list.
func requireList[T any](items []T) error {
	if items == nil {
		return errNoList
	}
	return nil
}

// maxCheckPages bounds how many commit statuses, check runs or rules are read, at 100 a page.
// GitHub itself lists check runs of at most 1000 check suites.
const maxCheckPages = 10

var errTooManyChecks = fmt.Errorf("commit has more than %d commit statuses or check runs", maxCheckPages*100)

// checkPage is one page of a list of checks.
type checkPage struct {
	items []policy.Check
	total int  // length of the whole list, as GitHub counts it
	more  bool // another page follows
}

// newCheckPage maps the items of a page. A response without a count or a list is an error, and so
// is an item that cannot be mapped.
func newCheckPage[T any](total *int, items []T, toCheck func(T) (policy.Check, error)) (checkPage, error) {
	if total == nil || items == nil {
		return checkPage{}, errNoList
	}

	p := checkPage{total: *total}
	for _, item := range items {
		check, err := toCheck(item)
		if err != nil {
			return checkPage{}, err
		}

		p.items = append(p.items, check)
	}

	return p, nil
}

// readAllPages reads the pages from number 1 on and returns all their checks, or an error. If a
// check is added between two pages, one item is seen twice and another may not be seen at all; the
// latter is noticed because then fewer items were seen than GitHub counts.
func readAllPages(read func(number int) (checkPage, error)) ([]policy.Check, error) {
	var all []policy.Check
	seen, total := map[int64]bool{}, 0
	for number := 1; number <= maxCheckPages; number++ {
		page, err := read(number)
		if err != nil {
			return nil, err
		}

		for _, check := range page.items {
			if !seen[check.ID] {
				seen[check.ID] = true
				all = append(all, check)
			}
		}

		total = max(total, page.total)
		if page.more {
			continue
		}
		if len(all) < total {
			return nil, fmt.Errorf("GitHub counts %d commit statuses or check runs and lists %d", total, len(all))
		}

		return all, nil
	}

	return nil, errTooManyChecks
}
