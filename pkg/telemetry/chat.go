package telemetry

import "github.com/prometheus/client_golang/prometheus"

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

// ChatGaveUp returns a function that counts the requests of one chat system that were given up, by their kind.
func (m *Metrics) ChatGaveUp(face string) func(kind string) {
	return func(kind string) { m.chatGivenUp.WithLabelValues(face, kind).Inc() }
}

// ChatCalls returns a function that counts the calls to one chat system, such as slack, by method and by what came
// of them.
func (m *Metrics) ChatCalls(face string) func(method, code string) {
	return func(method, code string) { m.chatCalls.WithLabelValues(face, method, code).Inc() }
}
