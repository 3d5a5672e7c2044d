package github

import (
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/policy"
)

var errTooManyChecks = errors.New("the commit has too many statuses or check runs to read them all")

// checkPage is one page of a list that says how long it is.
type checkPage struct {
	items []policy.Check
	total int
	more  bool
}

// newCheckPage maps the items of a page. An answer that holds no list must not pass for an empty one.
func newCheckPage[T any](total *int, items []T, each func(T) (policy.Check, error)) (p checkPage, err error) {
	if total == nil || items == nil {
		return p, errNoList
	}

	p.total = *total
	for _, item := range items {
		made, err := each(item)
		if err != nil {
			return p, err
		}

		p.items = append(p.items, made)
	}

	return p, nil
}

// readAllPages reads all pages, or fails. Pages shift while items are added, so that one may be shown
// twice and another not at all: the count tells.
func readAllPages(read func(number int) (checkPage, error)) ([]policy.Check, error) {
	var all []policy.Check
	seen, total := map[int64]bool{}, 0
	for number := 1; number <= maxCheckPages; number++ {
		p, err := read(number)
		if err != nil {
			return nil, err
		}

		for _, item := range p.items {
			if !seen[item.ID] {
				seen[item.ID] = true
				all = append(all, item)
			}
		}

		if total = max(total, p.total); p.more {
			continue
		}

		if len(all) < total {
			return nil, fmt.Errorf(
				"GitHub counts %d statuses or check runs of the commit and shows %d",
				total,
				len(all),
			)
		}

		return all, nil
	}

	return nil, errTooManyChecks
}
