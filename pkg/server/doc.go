// Package server is HTTP in: webhooks, the claim of a deploy job, the read API, health and metrics.
//
// A webhook is answered with 2xx only after what it asks for is durable or is known to need
// nothing; doing it is somebody else's work. Bodies come from strangers, so what is held of them in
// memory is counted against one budget for the whole server.
package server
