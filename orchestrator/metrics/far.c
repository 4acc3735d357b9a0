/*
 * What lud knows of connections from other hosts. Where no listener is configured there is nothing to measure, and no sample: its
 * absence raises no alarm.
 */
#include "orchestrator/metrics/priv.h"

void metrics_on_remote_well(const struct metrics_page *page)
{
	const struct remote *remote = page->metrics->parts.remote;

	if (remote) {
		metrics_put_plain(page, remote_tally(remote).is_well);
	}
}

void metrics_on_remote_connections(const struct metrics_page *page)
{
	const struct remote *remote = page->metrics->parts.remote;

	if (remote) {
		metrics_put_plain(page, (double)remote_tally(remote).n_peers);
	}
}

void metrics_on_remote_handshakes(const struct metrics_page *page)
{
	const struct remote *remote = page->metrics->parts.remote;

	if (remote) {
		metrics_put_plain(page, (double)remote_tally(remote).n_handshakes);
	}
}

void metrics_on_remote_connections_total(const struct metrics_page *page)
{
	const struct remote *remote = page->metrics->parts.remote;

	for (enum remote_outcome outcome = 0; remote && outcome < _REMOTE_OUTCOME_N; outcome++) {
		metrics_put(page, (double)remote_tally(remote).outcomes[outcome],
		        (const char *[]){remote_outcome_name(outcome)});
	}
}

/* Of files that were never good: nothing. */
void metrics_on_remote_expiry_timestamp_seconds(const struct metrics_page *page)
{
	const struct remote *remote = page->metrics->parts.remote;
	struct remote_tally tally = {0};

	if (remote) {
		tally = remote_tally(remote);
	}
	if (tally.has_ends) {
		metrics_put(page, (double)tally.ends.certificate, (const char *[]){"certificate"});
		metrics_put(page, (double)tally.ends.ca, (const char *[]){"ca"});
		metrics_put(page, (double)tally.ends.list, (const char *[]){"crl"});
	}
}
