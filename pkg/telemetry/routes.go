package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// routeMetrics are about the reading of the routes. Their names end as those of Prometheus about its own
// configuration.
type routeMetrics struct {
	good   prometheus.Gauge
	readAt prometheus.Gauge
}

func newRouteMetrics() routeMetrics {
	return routeMetrics{
		good: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "seraph_routes_last_reload_successful",
			Help: "1 if the routes were good when they were read last, 0 if the former ones are still in use.",
		}),
		readAt: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "seraph_routes_last_reload_success_timestamp_seconds",
			Help: "When the routes in use were read.",
		}),
	}
}

// RoutesRead records that the routes were read, and since when they are in use.
func (m *Metrics) RoutesRead(at time.Time) {
	m.routes.good.Set(1)
	m.routes.readAt.Set(float64(at.UnixMilli()) / 1000)
}

// RoutesRefused records that routes were read and cannot be used.
func (m *Metrics) RoutesRefused() { m.routes.good.Set(0) }
