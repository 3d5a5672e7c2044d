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
// environment.
var latencyBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// Metrics are the counters and histograms of the service. Every label has a fixed set of values.
// Create it with New; it is safe for concurrent use.
type Metrics struct {
	registry    *prometheus.Registry
	deliveries  *prometheus.CounterVec
	ended       *prometheus.CounterVec
	trigger     prometheus.Histogram
	lag         prometheus.Histogram
	requests    *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	remaining   *prometheus.GaugeVec
	recovered   *prometheus.CounterVec
	unconfirmed *prometheus.CounterVec
}

// New creates the metrics of a build that is described by its version and commit.
func New(version, commit string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		deliveries: counters(
			"seraph_webhook_deliveries_total",
			"Webhooks received, by what became of them.",
			"source",
			"event",
			"result",
		),
		ended:   counters("seraph_deployments_total", "Deployments that ended.", "state"),
		trigger: histogram("seraph_trigger_seconds", "From acceptance to the pipeline's existence."),
		lag: histogram(
			"seraph_report_lag_seconds",
			"From the moment a status was owed to GitHub until it was written.",
		),
		requests: counters(
			"seraph_outbound_requests_total",
			"Calls to GitHub and CircleCI.",
			"api",
			"operation",
			"code",
		),
		recovered: counters("seraph_recovered_total", "Deployments whose webhook never came.", "how"),
		unconfirmed: counters(
			"seraph_unconfirmed_total",
			"Triggers of unknown outcome, by what a look-up made of them.",
			"outcome",
		),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "seraph_outbound_seconds",
			Help:    "How long calls to GitHub and CircleCI took.",
			Buckets: latencyBuckets[:11],
		}, []string{"api", "operation"}),
		remaining: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "seraph_ratelimit_remaining",
			Help: "Calls left before the API's rate limit, as it said last.",
		}, []string{"api"}),
	}

	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "seraph_build_info",
		Help:        "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": version, "commit": commit, "go": runtime.Version()},
	}, func() float64 { return 1 })

	m.registry.MustRegister(
		m.deliveries,
		m.ended,
		m.trigger,
		m.lag,
		m.requests,
		m.seconds,
		m.remaining,
		m.recovered,
		m.unconfirmed,
		info,
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)

	for _, s := range deployment.States() {
		if !s.Open() {
			m.ended.WithLabelValues(string(s))
		}
	}

	return m
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
		m.requests.WithLabelValues(api, c.Operation, c.Code).Inc()
		m.seconds.WithLabelValues(api, c.Operation).Observe(c.Took.Seconds())

		if c.Remaining >= 0 {
			m.remaining.WithLabelValues(api).Set(float64(c.Remaining))
		}
	}
}

// Ended counts a deployment that ended in a state.
func (m *Metrics) Ended(s deployment.State) { m.ended.WithLabelValues(string(s)).Inc() }

// Triggered records how long after its acceptance a deployment's pipeline existed.
func (m *Metrics) Triggered(sinceAccepted time.Duration) { m.trigger.Observe(sinceAccepted.Seconds()) }

// Reported records how long a status was owed to GitHub before it was written.
func (m *Metrics) Reported(lag time.Duration) { m.lag.Observe(lag.Seconds()) }

// Recovered counts a deployment whose webhook was lost, by how it was found.
func (m *Metrics) Recovered(how string) { m.recovered.WithLabelValues(how).Inc() }

// Unconfirmed counts a trigger of unknown outcome, by what its look-up concluded.
func (m *Metrics) Unconfirmed(outcome string) { m.unconfirmed.WithLabelValues(outcome).Inc() }
