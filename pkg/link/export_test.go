package link

import "context"

// Check is what Run does once an hour.
func (s *Service) Check(ctx context.Context) { s.check(ctx) }
