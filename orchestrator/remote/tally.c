/*
 * What became of connections, counted where it is decided: each connection that was accepted has one outcome, when its
 * handshake is over or was not begun.
 */
#include "orchestrator/remote/priv.h"

static const char *const outcome_labels[_REMOTE_OUTCOME_N] = {
#define OUTCOME(NAME, label, sentence) [REMOTE_##NAME] = (label),
#include "orchestrator/remote/outcomes.def"
};

static const char *const outcome_sentences[_REMOTE_OUTCOME_N] = {
#define OUTCOME(NAME, label, sentence) [REMOTE_##NAME] = (sentence),
#include "orchestrator/remote/outcomes.def"
};

const char *remote_outcome_name(enum remote_outcome outcome)
{
	return outcome_labels[outcome];
}

const char *remote_outcome_text(enum remote_outcome outcome)
{
	return outcome_sentences[outcome];
}

void remote_count(struct remote *remote, enum remote_outcome outcome)
{
	remote->outcomes[outcome]++;
}

bool remote_is_well(const struct remote *remote)
{
	return !*remote->failure.place && !*remote->deaf.place;
}

struct remote_tally remote_tally(const struct remote *remote)
{
	return (struct remote_tally){
	        .is_well = remote_is_well(remote),
	        .n_peers = remote->n_peers,
	        .n_handshakes = remote->n_newcomers,
	        .outcomes = remote->outcomes,
	        .has_ends = remote->context,
	        .ends = remote->context ? tls_context_ends(remote->context) : (struct tls_ends){0},
	};
}
