package api

import "time"

// IgnoredDelivery is a webhook about a deployment that Seraph does not run, and why.
type IgnoredDelivery struct {
	Delivery     string     `json:"delivery"`   // GUID at GitHub
	Deployment   int64      `json:"deployment"` // GitHub's deployment id
	Repository   string     `json:"repository"`
	RepositoryID int64      `json:"repository_id"`
	Environment  string     `json:"environment"`
	Reason       string     `json:"reason"`
	ReceivedAt   *time.Time `json:"received_at"`
}

// DeliveryList is the newest ignored deliveries, newest first.
type DeliveryList struct {
	Deliveries []IgnoredDelivery `json:"deliveries"`
}
