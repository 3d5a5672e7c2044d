package app

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/engine"
	"github.com/seraph-deploy/seraph/pkg/outbound"
)

// latency covers 5 ms to 5 min: a trigger may be instant or wait for an environment.
var latency = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// metrics is what /metrics shows. Labels are closed sets.
type metrics struct {
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

func newMetrics(build Build) *metrics {
	m := &metrics{
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
			Buckets: latency[:11],
		}, []string{"api", "operation"}),
		remaining: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "seraph_ratelimit_remaining",
			Help: "Calls left before the API's rate limit, as it said last.",
		}, []string{"api"}),
	}

	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "seraph_build_info",
		Help:        "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": build.Version, "commit": build.Commit, "go": runtime.Version()},
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
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latency})
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// delivery counts one webhook.
func (m *metrics) delivery(source, event, result string) {
	m.deliveries.WithLabelValues(source, event, result).Inc()
}

// call counts one outgoing call of an API.
func (m *metrics) call(api string) func(outbound.Call) {
	return func(c outbound.Call) {
		m.requests.WithLabelValues(api, c.Operation, c.Code).Inc()
		m.seconds.WithLabelValues(api, c.Operation).Observe(c.Took.Seconds())
		if c.Remaining >= 0 {
			m.remaining.WithLabelValues(api).Set(float64(c.Remaining))
		}
	}
}

func (m *metrics) observe() engine.Observe {
	return engine.Observe{
		Ended:       func(s deployment.State) { m.ended.WithLabelValues(string(s)).Inc() },
		Triggered:   func(d time.Duration) { m.trigger.Observe(d.Seconds()) },
		Reported:    func(d time.Duration) { m.lag.Observe(d.Seconds()) },
		Recovered:   func(how string) { m.recovered.WithLabelValues(how).Inc() },
		Unconfirmed: func(outcome string) { m.unconfirmed.WithLabelValues(outcome).Inc() },
	}
}

// census shows what the rows say, read at each scrape.
type census struct {
	read   func(context.Context) (deployment.Stats, error)
	open   *prometheus.Desc
	unsent *prometheus.Desc
	oldest *prometheus.Desc
}

func newCensus(read func(context.Context) (deployment.Stats, error)) *census {
	return &census{
		read: read,
		open: prometheus.NewDesc(
			"seraph_deployments_open",
			"Deployments that have not ended.",
			[]string{"state"},
			nil,
		),
		unsent: prometheus.NewDesc("seraph_reports_unsent", "Statuses owed to GitHub.", nil, nil),
		oldest: prometheus.NewDesc(
			"seraph_oldest_due_seconds",
			"How long the most overdue row has waited for a worker.",
			nil,
			nil,
		),
	}
}

// Describe implements prometheus.Collector.
func (c *census) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.open
	ch <- c.unsent
	ch <- c.oldest
}

// Collect implements prometheus.Collector. A database that does not answer within 2 s shows no
// values.
func (c *census) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	rows, err := c.read(ctx)
	if err != nil {
		return
	}

	for _, s := range deployment.States() {
		if s.Open() {
			ch <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(rows.Open[s]), string(s))
		}
	}

	ch <- prometheus.MustNewConstMetric(c.unsent, prometheus.GaugeValue, float64(rows.ReportsUnsent))
	ch <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, rows.OldestDue.Seconds())
}
