// Package server answers HTTP: webhooks, the claim of a deploy job, the API, health and metrics.
//
// A webhook is answered with 2xx only after what it asks for is durable, or is known to need
// nothing. The work itself is done by package engine. Bodies come from strangers, so the memory that
// they take is counted against one budget for the whole server.
package server
