// Package telemetry holds the Prometheus metrics of the service. The other packages know nothing of
// it: they call plain functions, which package app connects with the methods of Metrics.
package telemetry

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// latencyBuckets covers 5 ms to 5 min, because a trigger may be immediate or wait for its
// environment. callBuckets is the part of it that a call, which has a timeout, can reach.
var (
	latencyBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
	callBuckets    = latencyBuckets[:11]
)

// Metrics are the counters and histograms of the service. Every label has a fixed set of values.
// Create it with New; it is safe for concurrent use.
type Metrics struct {
	registry    *prometheus.Registry
	deliveries  *prometheus.CounterVec
	ended       *prometheus.CounterVec
	trigger     prometheus.Histogram
	reportLag   prometheus.Histogram
	recovered   *prometheus.CounterVec
	unconfirmed *prometheus.CounterVec
	refused     *prometheus.CounterVec
	calls       callMetrics
	routes      routeMetrics
	chatCalls   *prometheus.CounterVec
	chatGivenUp *prometheus.CounterVec
	chatRefused *prometheus.CounterVec
}

// callMetrics are about calls to GitHub, CircleCI and Slack.
type callMetrics struct {
	requests  *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
	remaining *prometheus.GaugeVec
}

// New creates the metrics of a build that is described by its version and commit.
func New(version, commit string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		deliveries: counters("seraph_webhook_deliveries_total",
			"Webhooks received, by what became of them.", "source", "event", "result"),
		ended:   counters("seraph_deployments_total", "Deployments that ended.", "state"),
		trigger: histogram("seraph_trigger_seconds", "From acceptance to the pipeline's existence."),
		reportLag: histogram("seraph_report_lag_seconds",
			"From the moment a status was to be written to GitHub until it was written."),
		recovered: counters("seraph_recovered_total", "Deployments whose webhook never came.", "how"),
		unconfirmed: counters("seraph_unconfirmed_total",
			"Triggers of unknown outcome, by what a look-up made of them.", "outcome"),
		refused: counters("seraph_api_refused_total",
			"Requests to the API that were refused because the caller may not do this, or sent too many.", "code"),
		calls:  newCallMetrics(),
		routes: newRouteMetrics(),

		chatCalls:   newChatCalls(),
		chatGivenUp: newChatGivenUp(),
		chatRefused: newChatRefused(),
	}

	m.registry.MustRegister(
		m.deliveries,
		m.ended,
		m.trigger,
		m.reportLag,
		m.recovered,
		m.unconfirmed,
		m.refused,
		m.calls.requests,
		m.calls.seconds,
		m.calls.remaining,
		m.routes.good,
		m.routes.readAt,
		m.chatCalls,
		m.chatGivenUp,
		m.chatRefused,
		buildInfo(version, commit),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)

	for _, s := range deployment.States() {
		if !s.Open() {
			m.ended.WithLabelValues(string(s)) // so that it is shown before the first one ends
		}
	}

	return m
}

func newCallMetrics() callMetrics {
	return callMetrics{
		requests: counters("seraph_outbound_requests_total",
			"Calls to GitHub, CircleCI and Slack.", "api", "operation", "code"),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "seraph_outbound_seconds",
			Help:    "How long calls to GitHub, CircleCI and Slack took.",
			Buckets: callBuckets,
		}, []string{"api", "operation"}),
		remaining: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "seraph_ratelimit_remaining",
			Help: "Calls left before the API's rate limit, as it said last.",
		}, []string{"api"}),
	}
}

func buildInfo(version, commit string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "seraph_build_info",
		Help:        "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit, "go": runtime.Version()},
	}, func() float64 { return 1 })
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latencyBuckets})
}

// Handler serves the metrics over HTTP.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Delivery counts one received webhook.
func (m *Metrics) Delivery(source, event, result string) {
	m.deliveries.WithLabelValues(source, event, result).Inc()
}

// Calls returns a function that counts the outgoing calls of one API.
func (m *Metrics) Calls(api string) func(outbound.Call) {
	return func(c outbound.Call) {
		m.calls.requests.WithLabelValues(api, c.Operation, c.Code).Inc()
		m.calls.seconds.WithLabelValues(api, c.Operation).Observe(c.Took.Seconds())

		if c.Remaining >= 0 {
			m.calls.remaining.WithLabelValues(api).Set(float64(c.Remaining))
		}
	}
}

// Ended counts a deployment that ended in a state.
func (m *Metrics) Ended(s deployment.State) { m.ended.WithLabelValues(string(s)).Inc() }

// Triggered records how long after its acceptance a deployment's pipeline existed.
func (m *Metrics) Triggered(sinceAccepted time.Duration) { m.trigger.Observe(sinceAccepted.Seconds()) }

// Reported records how long a status was pending before it was written to GitHub.
func (m *Metrics) Reported(lag time.Duration) { m.reportLag.Observe(lag.Seconds()) }

// Recovered counts a deployment whose webhook was lost, by how it was found.
func (m *Metrics) Recovered(how string) { m.recovered.WithLabelValues(how).Inc() }

// APIRefused counts a request to the API that was refused because the caller may not do this or sent too many.
func (m *Metrics) APIRefused(code string) { m.refused.WithLabelValues(code).Inc() }

// Unconfirmed counts a trigger of unknown outcome, by what its look-up concluded.
func (m *Metrics) Unconfirmed(outcome string) { m.unconfirmed.WithLabelValues(outcome).Inc() }

// CollectStreams adds the number of clients that stream events, which read returns at each scrape.
func (m *Metrics) CollectStreams(read func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "seraph_event_streams",
		Help: "Clients that stream events.",
	}, func() float64 { return float64(read()) }))
}
