package chaos

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
	"github.com/seraph-deploy/seraph/test/sim/slack"
)

// missing lists the deployments and channels where no card shows the end.
func (c *cards) missing() (list []string) {
	shown := map[string]bool{}
	for i := range cardRepositories {
		for _, channel := range cardChannels(i) {
			for _, m := range c.slack.Messages(channel) {
				for number, text := range shownBy(m) {
					end := channel + " " + number + " " + endWord(text)
					shown[end] = true
					shown[end+" on a card"] = shown[end+" on a card"] || !isList(m)
				}
			}
		}
	}

	for _, d := range c.github.Deployments() {
		for _, channel := range channelsOf(d) {
			want := fmt.Sprintf("%s %d %s", channel, d.ID, endOf(d))
			if endOf(d) == "failure" {
				want += " on a card" // a list alone would not be noticed
			}
			if !shown[want] {
				list = append(list, want)
			}
		}
	}
	return list
}

func channelsOf(d github.Deployment) []string {
	for i := range cardRepositories {
		if d.Repository == cardRepository(i) {
			return cardChannels(i)
		}
	}
	return nil
}

var (
	numberPattern = regexp.MustCompile(`Deployment #(\d+)`)
	notePattern   = regexp.MustCompile(`#(\d+): It `)
	linePattern   = regexp.MustCompile(`(?m)^#(\d+) \n(.+)$`) // of a list: the number, and the texts after it
)

// numbersIn are the numbers of the deployments that blocks are about: several in a list.
func numbersIn(blocks []slack.Object) (numbers []string) {
	words := slack.Message{Blocks: blocks}.Words()
	for _, line := range linePattern.FindAllStringSubmatch(words, -1) {
		numbers = append(numbers, line[1])
	}
	for _, pattern := range []*regexp.Regexp{numberPattern, notePattern} {
		if found := pattern.FindStringSubmatch(words); found != nil {
			return append(numbers, found[1])
		}
	}
	return numbers
}

// isList says whether a message shows several deployments, a line for each.
func isList(m slack.Message) bool { return linePattern.MatchString(m.Words()) }

// shownBy is what a message that is no reply says of each deployment, by number.
func shownBy(m slack.Message) map[string]string {
	shown := map[string]string{}
	if m.Thread != "" {
		return shown
	}
	for _, line := range linePattern.FindAllStringSubmatch(m.Words(), -1) {
		shown[line[1]] = line[2]
	}
	if len(shown) > 0 {
		return shown
	}
	for _, number := range numbersIn(m.Blocks) {
		shown[number] = m.Text
	}
	return shown
}

// endWord is GitHub's word for the end that the text of a card says; empty: it says none.
func endWord(text string) string {
	for words, state := range map[string]string{
		": succeeded": "success", ": failed": "failure", ": could not be run": "error", ": canceled": "error",
		": rejected": "error",
	} {
		if strings.Contains(text, words) {
			return state
		}
	}
	return ""
}

func endOf(d github.Deployment) string {
	if len(d.Statuses) == 0 {
		return "none"
	}
	return d.Statuses[len(d.Statuses)-1].State
}

// stageOf is the place of what a card says among the states.
func stageOf(text string) int {
	switch {
	case endWord(text) != "":
		return 3
	case strings.Contains(text, "starting"):
		return 1
	case strings.Contains(text, ": running"), strings.Contains(text, ": held"), strings.Contains(text, "being canceled"):
		return 2
	default:
		return 0
	}
}

func (c *cards) verify(t *testing.T) {
	t.Helper()
	for _, missing := range c.missing() {
		t.Errorf("no card shows the end: %s", missing)
	}

	keys := map[string]int{}
	perCard, perList := map[string]int{}, map[string]int{}
	for i := range cardRepositories {
		for _, channel := range cardChannels(i) {
			for _, m := range c.slack.Posted(channel) {
				if m.Metadata != nil {
					keys[fmt.Sprint(channel, m.Metadata.Payload)]++
				}
				for number := range shownBy(m) {
					if isList(m) {
						perList[channel+" "+number]++
					} else {
						perCard[channel+" "+number]++
					}
				}
				c.verifyOrder(t, m)
			}
		}
	}
	for key, n := range keys {
		if n > 1 {
			channel, _, _ := strings.Cut(key, "map[")
			t.Errorf("got the key %s posted %d times, by these calls:\n%s", key, n, c.callsTo(channel))
		}
	}
	for card, n := range perCard {
		if n > 1 {
			t.Errorf("got %d cards of %s, want one", n, card)
		}
	}
	for line, n := range perList {
		if n > 1 {
			t.Errorf("got %s in %d lists, want one", line, n)
		}
		perCard[line]++
	}
	t.Logf("%d deployments and channels, %d of them in a list", len(perCard), len(perList))

	c.verifyCalls(t, len(perCard))
}

// callsTo describes the calls about a channel.
func (c *cards) callsTo(channel string) string {
	var text strings.Builder
	for _, call := range c.slack.Calls("") {
		if call.Channel == channel && call.Method != "conversations.info" {
			fmt.Fprintf(&text, "%s %s: status %d, error %q, done %t, ts %q\n",
				call.At.Format("15:04:05.000"), call.Method, call.Status, call.Error, call.Done, call.TS)
		}
	}
	return text.String()
}

// verifyOrder checks that a card, or a line of a list, has never gone back to an earlier state.
func (c *cards) verifyOrder(t *testing.T, m slack.Message) {
	t.Helper()
	last := map[string]int{}
	for _, v := range c.slack.Versions(m.Channel, m.TS) {
		for number, text := range shownBy(v) {
			n := stageOf(text)
			if n < last[number] {
				t.Errorf("got #%s in %s that went back to %q", number, m.Channel, text)
			}
			last[number] = n
		}
	}
}

// verifyCalls counts the calls for each deployment and channel that may have had an effect: not those that Slack refused
// because there were too many. A call for a list counts in equal parts for all that it shows.
func (c *cards) verifyCalls(t *testing.T, want int) {
	t.Helper()
	calls := map[string]float64{}
	total, listCalls := 0, 0
	for _, call := range c.slack.Calls("") {
		if !strings.HasPrefix(call.Method, "chat.") {
			continue
		}
		var blocks []slack.Object
		if err := json.Unmarshal([]byte(call.Args["blocks"]), &blocks); err != nil {
			t.Errorf("read the blocks of a call of %s: %v", call.Method, err)
		}
		numbers := numbersIn(blocks)
		if len(numbers) == 0 {
			t.Errorf("got a call of %s that names no deployment: %q", call.Method, call.Args["text"])
		}

		part := 1 / float64(len(numbers))
		if call.Status == http.StatusTooManyRequests {
			part = 0 // the card may be there all the same
		} else {
			total++
			if len(numbers) > 1 {
				listCalls++
			}
		}
		for _, number := range numbers {
			calls[call.Channel+" "+number] += part
		}
	}

	most := 0.0
	for card, n := range calls {
		most = max(most, n)
		if n > maxCardCalls {
			t.Errorf("got %.1f calls for %s, want at most %d", n, card, maxCardCalls)
		}
	}

	mean := float64(total) / float64(max(len(calls), 1))
	if mean > meanCardCalls || len(calls) != want {
		t.Errorf("got %.2f calls for each of %d cards, want at most %.0f for each of %d", mean, len(calls), meanCardCalls, want)
	}
	t.Logf("%d deployments and channels, %.2f calls each, at most %.1f; %d calls for lists", len(calls), mean, most, listCalls)
}
