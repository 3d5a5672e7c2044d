package server

import (
	"context"
	"net/http"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// DeliveryReader reads the deliveries that led to no deployment, newest first.
type DeliveryReader interface {
	IgnoredDeliveries(ctx context.Context, f deployment.DeliveryFilter) ([]deployment.IgnoredDelivery, error)
}

// listDeliveries shows which deployments of the last days Seraph ignores, and why.
func (s *Server) listDeliveries(ctx context.Context, r *http.Request) (any, error) {
	values, err := parseQuery(r.URL.RawQuery, "repository", "environment", "limit")
	if err != nil {
		return nil, badRequest(err.Error())
	}

	filter := deployment.DeliveryFilter{Environment: values.Get("environment")}
	if filter.Repository, err = parseRepository(values.Get("repository")); err != nil {
		return nil, badRequest(err.Error())
	}
	if filter.Limit, err = parseLimit(values.Get("limit")); err != nil {
		return nil, badRequest(err.Error())
	}

	found, err := s.o.Deliveries.IgnoredDeliveries(ctx, filter)
	if err != nil {
		return nil, err
	}

	list := api.DeliveryList{Deliveries: make([]api.IgnoredDelivery, len(found))}
	for i, d := range found {
		list.Deliveries[i] = api.IgnoredDelivery{
			Delivery:     d.GUID,
			Deployment:   d.DeploymentID,
			Repository:   d.Repository,
			RepositoryID: d.RepositoryID,
			Environment:  d.Environment,
			Reason:       d.Reason,
			ReceivedAt:   apiTime(d.ReceivedAt),
		}
	}

	return list, nil
}
