package slack

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// actionPrefix begins every action id of a button.
const actionPrefix = "seraph_"

// maxValue is how long the value of a button may be, in characters (Block Kit reference, "Button element").
const maxValue = 2000

// errAction is the error of ParseAction.
var errAction = errors.New("parse value of button: not written by this service")

// ActionID is the action_id of the buttons that ask for a verb. Slack wants different ones in one block: the second
// button with a verb has _2 behind it, and so on, which ParseActionID ignores.
func ActionID(v notify.Verb) string { return actionPrefix + string(v) }

// ParseActionID returns the verb of an action_id. The second result is false where the id does not begin as those of
// ActionID do, or has no verb. The verb may be one that package notify does not know.
func ParseActionID(id string) (notify.Verb, bool) {
	verb, ok := strings.CutPrefix(id, actionPrefix)
	verb, _, _ = strings.Cut(verb, "_")
	return notify.Verb(verb), ok && verb != ""
}

// The first words of values. A press of a button with valueModal opens a modal.
const (
	valueActs  = "v1"
	valueModal = "v1m"
)

// ActionValue is the value of a button: the deployment that it acts on, the generation of the card that shows it, and
// for approve-hold the name of the held job, which may hold any character. modal says that a press opens a modal.
func ActionValue(row int64, generation, job string, modal bool) string {
	first := valueActs
	if modal {
		first = valueModal
	}

	value := fmt.Sprintf("%s %d %s", first, row, generation)
	if job != "" {
		value += " " + job
	}
	return value
}

// OpensModal says whether a press of the button with a value opens a modal.
func OpensModal(value string) bool { return strings.HasPrefix(value, valueModal+" ") }

// ParseAction reads what ActionValue has written, and refuses everything else.
func ParseAction(value string) (row int64, generation, job string, err error) {
	if utf8.RuneCountInString(value) > maxValue || !utf8.ValidString(value) {
		return 0, "", "", errAction
	}

	parts := strings.SplitN(value, " ", 4)
	if len(parts) < 3 || parts[0] != valueActs && parts[0] != valueModal || !isGeneration(parts[2]) {
		return 0, "", "", errAction
	}

	row, err = strconv.ParseInt(parts[1], 10, 64)
	if err != nil || row <= 0 || strconv.FormatInt(row, 10) != parts[1] {
		return 0, "", "", errAction
	}

	if len(parts) == 4 {
		if job = parts[3]; job == "" {
			return 0, "", "", errAction
		}
	}
	return row, parts[2], job, nil
}

// isGeneration says whether s may be the generation of a card: digits and lower-case letters, at most 64.
func isGeneration(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
