package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// newChatCalls makes the counter of calls to chat systems.
func newChatCalls() *prometheus.CounterVec {
	return counters("seraph_chat_calls_total", "Calls to chat systems.", "face", "method", "code")
}

// newChatGivenUp makes the counter of requests of chat systems that were not carried out.
func newChatGivenUp() *prometheus.CounterVec {
	return counters("seraph_chat_given_up_total",
		"Requests of chat systems that were stored and given up, because they failed too often or were too old.",
		"face", "kind")
}

// newChatRefused makes the counter of what people were refused in chat systems.
func newChatRefused() *prometheus.CounterVec {
	return counters("seraph_chat_refused_total",
		"Commands, buttons and modals in a chat system that were refused because the person may not do this.",
		"face", "code")
}

// ChatGaveUp returns a function that counts the requests of one chat system that were given up, by their kind.
func (m *Metrics) ChatGaveUp(face string) func(kind string) {
	return func(kind string) { m.chatGivenUp.WithLabelValues(face, kind).Inc() }
}

// ChatCalls returns a function that counts the calls to one chat system, such as slack, by method and by what came
// of them.
func (m *Metrics) ChatCalls(face string) func(method, code string) {
	return func(method, code string) { m.chatCalls.WithLabelValues(face, method, code).Inc() }
}

// ChatRefused returns a function that counts what was refused in one chat system, such as slack. The code is from a
// closed set.
func (m *Metrics) ChatRefused(face string) func(code string) {
	return func(code string) { m.chatRefused.WithLabelValues(face, code).Inc() }
}

// messageCollector exports what is owed to one chat system. It is read at each scrape.
type messageCollector struct {
	face   string
	read   func(context.Context) ([]deployment.MessageStats, error)
	down   func() bool
	unsent *prometheus.Desc
	oldest *prometheus.Desc
	halted *prometheus.Desc
}

// CollectMessages adds the numbers of the messages to one chat system, which read returns at each scrape. down says
// whether this process sends, and nothing can be sent.
func (m *Metrics) CollectMessages(
	face string,
	read func(context.Context) ([]deployment.MessageStats, error),
	down func() bool,
) {
	labels := prometheus.Labels{"face": face}
	m.registry.MustRegister(&messageCollector{
		face:   face,
		read:   read,
		down:   down,
		unsent: prometheus.NewDesc("seraph_chat_unsent", "Messages to a chat system that are due.", nil, labels),
		oldest: prometheus.NewDesc("seraph_chat_oldest_due_seconds",
			"How long the most overdue message to a chat system has waited.", nil, labels),
		halted: prometheus.NewDesc("seraph_chat_down",
			"1 while this process sends nothing, because the chat system does not answer or refuses it.", nil, labels),
	})
}

// Describe implements prometheus.Collector.
func (c *messageCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.unsent
	ch <- c.oldest
	ch <- c.halted
}

// Collect implements prometheus.Collector. If the database does not answer within 2 s, it exports only seraph_chat_down.
func (c *messageCollector) Collect(ch chan<- prometheus.Metric) {
	down := 0.0
	if c.down() {
		down = 1
	}
	ch <- prometheus.MustNewConstMetric(c.halted, prometheus.GaugeValue, down)

	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	all, err := c.read(ctx)
	if err != nil {
		return
	}

	var own deployment.MessageStats
	for _, s := range all {
		if s.Face == c.face {
			own = s
		}
	}
	ch <- prometheus.MustNewConstMetric(c.unsent, prometheus.GaugeValue, float64(own.Unsent))
	ch <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, own.OldestDue.Seconds())
}
