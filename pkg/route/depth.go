package route

import "github.com/goccy/go-yaml/token"

// maxDepth bounds how deep lists and mappings may be nested. A routes file needs less than ten levels.
const maxDepth = 64

// tooDeep returns the first token that is nested deeper than maxDepth, or nil. The parser calls itself
// for each level and would end the process with its stack, which no error can stop.
func tooDeep(tokens token.Tokens) *token.Token {
	var block []int // the columns at which the open block lists and mappings stand
	flow := 0       // how many brackets are open
	for i, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow = max(flow-1, 0)
		case token.SequenceEntryType, token.MappingKeyType:
			block = openBlock(block, t)
		case token.MappingValueType:
			if flow == 0 && i > 0 {
				block = openBlock(block, tokens[i-1]) // the key
			}
		}

		if flow+len(block) > maxDepth {
			return t
		}
	}

	return nil
}

// openBlock adds the list or mapping that begins at a token, and closes those that end before it.
func openBlock(block []int, t *token.Token) []int {
	column := t.Position.Column
	for len(block) > 0 && block[len(block)-1] >= column {
		block = block[:len(block)-1]
	}
	return append(block, column)
}
