package telemetry

import "github.com/prometheus/client_golang/prometheus"

// newChatCalls makes the counter of calls to chat systems.
func newChatCalls() *prometheus.CounterVec {
	return counters("seraph_chat_calls_total", "Calls to chat systems.", "face", "method", "code")
}

// ChatCalls returns a function that counts the calls to one chat system, such as slack, by method and by what came
// of them.
func (m *Metrics) ChatCalls(face string) func(method, code string) {
	return func(method, code string) { m.chatCalls.WithLabelValues(face, method, code).Inc() }
}
