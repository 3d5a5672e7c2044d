// Package chaos kills the real program again and again while its two vendors misbehave, and then asks the vendors' simulators what really
// happened: nothing that was accepted is lost, nothing ran twice, and GitHub was told the truth.
package chaos
