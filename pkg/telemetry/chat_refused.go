package telemetry

import "github.com/prometheus/client_golang/prometheus"

// newChatRefused makes the counter of what people were refused in chat systems.
func newChatRefused() *prometheus.CounterVec {
	return counters("seraph_chat_refused_total",
		"Commands, buttons and modals in a chat system that were refused because the person may not do this.", "face", "code")
}

// ChatRefused returns a function that counts what was refused in one chat system, such as slack. The code is from a
// closed set.
func (m *Metrics) ChatRefused(face string) func(code string) {
	return func(code string) { m.chatRefused.WithLabelValues(face, code).Inc() }
}
