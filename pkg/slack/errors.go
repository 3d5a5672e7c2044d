package slack

import (
	"strings"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

// errorKinds says what Slack's error words mean (docs.slack.dev, the errors of each method). For words that are not
// here see kindOf.
var errorKinds = map[string]notify.SendKind{
	"message_not_found":    notify.SendGone,
	"thread_not_found":     notify.SendGone,
	"view_not_found":       notify.SendGone,
	"not_found":            notify.SendGone, // of a view
	"cant_update_message":  notify.SendFinal,
	"edit_window_closed":   notify.SendFinal,
	"is_inactive":          notify.SendFinal,
	"block_mismatch":       notify.SendFinal,
	"expired_trigger_id":   notify.SendFinal,
	"exchanged_trigger_id": notify.SendFinal,
	"invalid_trigger_id":   notify.SendFinal,
	"trigger_expired":      notify.SendFinal,
	"trigger_exchanged":    notify.SendFinal,
	"hash_conflict":        notify.SendFinal,
	"push_limit_reached":   notify.SendFinal,
	"used_url":             notify.SendFinal,
	"expired_url":          notify.SendFinal,

	"channel_not_found":                        notify.SendChannel,
	"not_in_channel":                           notify.SendChannel,
	"is_archived":                              notify.SendChannel,
	"restricted_action":                        notify.SendChannel,
	"messages_tab_disabled":                    notify.SendChannel,
	"ekm_access_denied":                        notify.SendChannel,
	"method_not_supported_for_channel_type":    notify.SendChannel,
	"user_not_found":                           notify.SendChannel,
	"users_not_found":                          notify.SendChannel,
	"user_not_visible":                         notify.SendChannel,
	"user_not_in_channel":                      notify.SendChannel,
	"user_disabled":                            notify.SendChannel,
	"cannot_dm_bot":                            notify.SendChannel,
	"restricted_action_read_only_channel":      notify.SendChannel,
	"restricted_action_thread_only_channel":    notify.SendChannel,
	"restricted_action_non_threadable_channel": notify.SendChannel,
	"restricted_action_thread_locked":          notify.SendChannel,

	"invalid_auth":              notify.SendFace,
	"not_authed":                notify.SendFace,
	"account_inactive":          notify.SendFace,
	"token_revoked":             notify.SendFace,
	"token_expired":             notify.SendFace,
	"team_access_not_granted":   notify.SendFace,
	"org_login_required":        notify.SendFace,
	"accesslimited":             notify.SendFace,
	"access_denied":             notify.SendFace,
	"enterprise_is_restricted":  notify.SendFace,
	"two_factor_setup_required": notify.SendFace,

	// missing_scope stops the face only where the method is one without which there are no cards: see kindOf.
	"missing_scope":          notify.SendForbidden,
	"no_permission":          notify.SendForbidden,
	"not_allowed_token_type": notify.SendForbidden,
	"not_enabled":            notify.SendForbidden,
	"method_deprecated":      notify.SendForbidden,
	"deprecated_endpoint":    notify.SendForbidden,
	"unknown_method":         notify.SendForbidden,

	"invalid_blocks":        notify.SendContent,
	"invalid_blocks_format": notify.SendContent,
	"msg_blocks_too_long":   notify.SendContent,
	"msg_too_long":          notify.SendContent,
	"no_text":               notify.SendContent,
	"invalid_arguments":     notify.SendContent,
	"invalid_arg_name":      notify.SendContent,
	"invalid_array_arg":     notify.SendContent,
	"invalid_form_data":     notify.SendContent,
	"invalid_json":          notify.SendContent,
	"view_too_large":        notify.SendContent,
	"duplicate_external_id": notify.SendContent,

	"metadata_too_large":             notify.SendContent,
	"metadata_must_be_sent_from_app": notify.SendContent,
	"invalid_metadata_format":        notify.SendContent,
	"invalid_metadata_schema":        notify.SendContent,

	// Slack cannot say what came of the call.
	"fatal_error":         notify.SendUnknown,
	"internal_error":      notify.SendUnknown,
	"service_unavailable": notify.SendUnknown,
	"request_timeout":     notify.SendUnknown,
	"team_added_to_org":   notify.SendUnknown,

	"ratelimited":  notify.SendLimited,
	"rate_limited": notify.SendLimited,
}

// kindOf says what an error word of a method means. An unknown word is SendUnknown, so that the caller looks for the
// message before it posts again, unless it begins like words that are known.
func kindOf(method, word string) notify.SendKind {
	if kind, ok := errorKinds[word]; ok {
		if kind == notify.SendForbidden && (method == methodPost || method == methodUpdate) {
			return notify.SendFace
		}
		return kind
	}

	switch {
	case strings.HasPrefix(word, "restricted_action"):
		return notify.SendChannel
	case strings.HasPrefix(word, "metadata_"), strings.HasPrefix(word, "invalid_metadata_"):
		return notify.SendContent
	default:
		return notify.SendUnknown
	}
}
