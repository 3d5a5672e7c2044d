package control

import (
	"fmt"
	"strconv"
	"strings"
)

// parsePeople reads a comma-separated list of LOGIN=ID.
func parsePeople(text string) (map[string]int64, error) {
	all := map[string]int64{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}

		login, number, _ := strings.Cut(item, "=")
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil || id <= 0 || login == "" {
			return nil, fmt.Errorf("people: %q is not LOGIN=ID", item)
		}

		all[login] = id
	}

	return all, nil
}

// parseSlackIDs reads a comma-separated list of NAME=ID.
func parseSlackIDs(text string) (map[string]string, error) {
	all := map[string]string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}

		name, id, _ := strings.Cut(item, "=")
		if id == "" || name == "" {
			return nil, fmt.Errorf("slack: %q is not NAME=ID", item)
		}

		all[name] = id
	}

	return all, nil
}
