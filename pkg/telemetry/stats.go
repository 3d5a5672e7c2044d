package telemetry

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// statsCollector exports the statistics of the rows. They are read at each scrape.
type statsCollector struct {
	read   func(context.Context) (deployment.Stats, error)
	open   *prometheus.Desc
	unsent *prometheus.Desc
	oldest *prometheus.Desc
	skew   *prometheus.Desc
}

// CollectStats adds the statistics of the rows, which read returns at each scrape.
func (m *Metrics) CollectStats(read func(context.Context) (deployment.Stats, error)) {
	m.registry.MustRegister(newStatsCollector(read))
}

func newStatsCollector(read func(context.Context) (deployment.Stats, error)) *statsCollector {
	return &statsCollector{
		read: read,
		open: prometheus.NewDesc(
			"seraph_deployments_open",
			"Deployments that have not ended.",
			[]string{"state"},
			nil,
		),
		unsent: prometheus.NewDesc("seraph_reports_unsent", "Statuses not yet written to GitHub.", nil, nil),
		oldest: prometheus.NewDesc(
			"seraph_oldest_due_seconds",
			"How long the most overdue row has waited for a worker.",
			nil,
			nil,
		),
		skew: prometheus.NewDesc(
			"seraph_clock_skew_seconds",
			"How far the clock of this process is ahead of the database's.",
			nil,
			nil,
		),
	}
}

// Describe implements prometheus.Collector.
func (c *statsCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.open
	ch <- c.unsent
	ch <- c.oldest
	ch <- c.skew
}

// Collect implements prometheus.Collector. It exports nothing when the database does not answer
// within 2 s.
func (c *statsCollector) Collect(ch chan<- prometheus.Metric) {
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
	ch <- prometheus.MustNewConstMetric(c.skew, prometheus.GaugeValue, rows.ClockSkew.Seconds())
}
