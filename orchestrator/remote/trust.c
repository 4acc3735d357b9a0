/*
 * What everybody is judged by: certificates, lists and identities, read as a whole or not at all. A file that is not
 * good changes nothing, so that a mistake while a list is renewed does not lock everybody out; but what was read has an
 * end of its own, which nothing puts off. When a list of revoked certificates ends, nobody can be known
 * not to be on the next one: whoever is connected is disconnected then, and the status has said so for two weeks.
 */
#include <string.h>
#include <time.h>

#include "host/base/elapsed.h"
#include "host/base/log.h"
#include "orchestrator/remote/priv.h"

void trust_free(struct remote *remote)
{
	SSL_CTX_free(remote->context);
	control_identities(remote->control, NULL);
	access_identities_free(remote->identities);
}

bool trust_read(struct remote *remote)
{
	const struct config *config = remote->config;
	struct tls_files files = {.ca = config->remote_ca,
	        .crl = config->remote_crl,
	        .certificate = config->remote_certificate,
	        .key = config->remote_key};
	_cleanup_(tls_context_freep) SSL_CTX *context = NULL;
	struct access_identities *identities = NULL;
	struct failure failure = {0};
	int r = tls_server_context(&files, &context, &failure);

	remote->read_usec = elapsed_usec();
	if (!r) {
		r = access_identities_read(config->remote_identities, &identities, &failure);
	}
	if (r < 0) {
		err_forget();
		if (strcmp(remote->failure.place, failure.place) != 0 ||
		        strcmp(remote->failure.cause, failure.cause) != 0) {
			log_error("remote: %s: %s: %s; %s",
			        remote->context ? "what was read before stays" : "nobody is let in",
			        failure.place, failure.cause, failure.remedy);
		}
		remote->failure = failure;
		return false;
	}
	trust_free(remote);
	remote->failure = (struct failure){0};
	remote->context = steal(&context);
	remote->identities = identities;
	control_identities(remote->control, identities);
	return true;
}

/* The clock may have been set since the files were read: what was good can be over, or not have begun. */
static void trust_tell_times(struct remote *remote, int64_t now, struct control_notice *notice)
{
	struct tls_end end = tls_context_end(remote->context);
	struct tls_end begin = tls_context_begin(remote->context);

	if (begin.at > now) {
		notice->is_wrong = true;
		snprintf(notice->text, sizeof(notice->text), "lets nobody in: %s is not valid yet",
		        begin.what);
		snprintf(notice->remedy, sizeof(notice->remedy),
		        "compare this host's clock with that of the CA: one of them is wrong");
	} else if (end.at - now < REMOTE_WARN_SEC) {
		notice->is_wrong = end.at <= now;
		notice->ends = end.at;
		snprintf(notice->text, sizeof(notice->text),
		        notice->is_wrong ? "lets nobody in: %s has ended"
		                         : "lets nobody in once %s has ended",
		        end.what);
		snprintf(notice->remedy, sizeof(notice->remedy),
		        "renew it (luctl cert renew, luctl cert crl), then have lud read it: "
		        "systemctl reload lud, or SIGHUP");
	}
}

/* What is wrong first, then what will be. */
static void trust_tell(struct remote *remote, int64_t now)
{
	const struct failure *failure = *remote->failure.place ? &remote->failure : &remote->deaf;
	struct control_notice notice = {0};

	if (!remote_is_well(remote)) {
		notice.is_wrong = true;
		snprintf(notice.text, sizeof(notice.text), "%s: %.120s: %.240s",
		        !remote->context || *remote->deaf.place
		                ? "lets nobody in"
		                : "reads its files, and keeps what it had",
		        failure->place, failure->cause);
		snprintf(notice.remedy, sizeof(notice.remedy), "%s", failure->remedy);
	} else if (remote->context) {
		trust_tell_times(remote, now, &notice);
	}
	control_notice(remote->control, &notice);
}

int64_t trust_look(struct remote *remote, int64_t now)
{
	int64_t end = remote->context ? tls_context_ends(remote->context).list : INT64_MAX;

	if (end <= now) {
		peers_end_all(remote, "the list of revoked certificates is too old");
		end = INT64_MAX;
	}
	trust_tell(remote, now);
	return end;
}
