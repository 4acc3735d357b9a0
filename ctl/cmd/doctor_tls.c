/*
 * doctor: certificates, lists of revoked ones and keys, before somebody is kept out by them. There are up to three places
 * where this host has some, and each is looked at as whoever uses it would:
 *
 *     the hosts file         what luctl shows and believes when it asks another host
 *     lud's configuration    what lud shows and believes, if it is to listen; also while it is down
 *     a CA                   its own certificate, its list, and what it has issued
 *
 * The worst that was found is the line: what is bad before what ends soon, and of these the one that ends first.
 */
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl/base/text.h"
#include "ctl/client/place.h"
#include "ctl/cmd/cert.h"
#include "ctl/cmd/doctor.h"
#include "ctl/hosts/hosts.h"
#include "ctl/make/run.h"
#include "host/tls/context.h"

/* A list lasts for 30 days: a warning that comes earlier would always be there. */
#define TLS_WARN_SEC (14 * TLS_DAY_SEC)
#define TLS_REMEDY_ENDS                                                                            \
	"`luctl cert renew` and `luctl cert crl` where the CA is; carry it here, and have lud "    \
	"read it"

/* What was found so far. */
struct doctor_ends {
	struct doctor_line *line;
	unsigned int n; /* ends of connections, and CAs */
	int64_t first;  /* when the first of what is good ends */
};

/* Something ends, which is told if it is soon and nothing worse was. */
static void doctor_tls_end_seen(
        struct doctor_ends *ends, int64_t at, const char *place, const char *what)
{
	int64_t now = time(NULL);
	char left[TEXT_SIZE];

	ends->n++;
	if (at >= ends->first) {
		return;
	}
	ends->first = at;
	if (ends->line->verdict == DOCTOR_BAD || at - now >= TLS_WARN_SEC) {
		return;
	}
	if (at <= now) {
		doctor_say(
		        ends->line, DOCTOR_BAD, TLS_REMEDY_ENDS, "%s: %s has ended", place, what);
	} else {
		doctor_say(ends->line, DOCTOR_WARN, TLS_REMEDY_ENDS, "%s: %s ends in %s", place,
		        what, text_age((at - now) * 1000000, left));
	}
}

/* The first that is bad is the one that is told. */
static void doctor_tls_failed(struct doctor_ends *ends, enum doctor_verdict verdict,
        const char *whose, const struct failure *failure)
{
	ends->n++;
	if (verdict > ends->line->verdict) {
		doctor_say(ends->line, verdict, failure->remedy, "%s: %.150s: %.200s", whose,
		        failure->place, failure->cause);
	}
}

/* One end of connections, as it would begin. */
static void doctor_tls_end_look(struct doctor_ends *ends, enum tls_kind kind, const char *whose,
        const struct tls_files *files)
{
	_cleanup_(tls_context_freep) SSL_CTX *context = NULL;
	struct failure failure;
	struct tls_end end;
	struct stat st;
	int r;

	/* lud's key is lud's user's: for somebody else it would be one that others can read. */
	if (stat(files->key, &st) == 0 && st.st_uid != geteuid()) {
		failure_set(&failure, "key", files->key, "ask as whose key it is",
		        "not looked at: it is another user's");
		doctor_tls_failed(ends, DOCTOR_WARN, whose, &failure);
		return;
	}
	r = kind == TLS_HOST ? tls_server_context(files, &context, &failure)
	                     : tls_client_context(files, &context, &failure);
	if (r < 0) {
		doctor_tls_failed(ends, DOCTOR_BAD, whose, &failure);
		return;
	}
	end = tls_context_end(context);
	doctor_tls_end_seen(ends, end.at, whose, end.what);
}

/* Hosts that this person asks. A file that cannot be read is what every other command says, too. */
static void doctor_tls_hosts_look(struct doctor_ends *ends)
{
	struct hosts hosts = {0};
	struct failure failure;

	ctl_catch(true);
	if (hosts_read_both(&hosts) != CTL_OK) {
		failure_set(&failure, "hosts", "the hosts file", "`luctl host list` says more",
		        "%s", ctl_caught());
		doctor_tls_failed(ends, DOCTOR_BAD, "hosts", &failure);
	}
	ctl_catch(false);
	for (size_t i = 0; i < hosts.n_entries; i++) {
		char *const *values = hosts.entries[i].values;
		const struct tls_files files = {values[HOSTS_CA], values[HOSTS_CRL],
		        values[HOSTS_CERTIFICATE], values[HOSTS_KEY]};
		_cleanup_(ctl_freep) char *whose = ctl_format("host %s", hosts.entries[i].name);

		doctor_tls_end_look(ends, TLS_USER, whose, &files);
	}
	hosts_fini(&hosts);
}

/*
 * The value of a key of the section `remote`, in what `lud --print-config` prints: a line each, below the section's name.
 * "" where it is not there. The caller frees.
 */
static char *doctor_tls_config_value(const char *text, const char *key)
{
	const char *section = strstr(text, "\nremote:\n");
	_cleanup_(ctl_freep) char *wanted = ctl_format("\n  %s: ", key);
	const char *at = section ? strstr(section, wanted) : NULL;

	at += at ? strlen(wanted) : 0;
	return at ? ctl_format("%.*s", (int)strcspn(at, "\n"), at) : ctl_format("%s", "");
}

static void doctor_tls_lud_judge(struct doctor_ends *ends, const char *config)
{
	_cleanup_(ctl_freep) char *listen = doctor_tls_config_value(config, "listen");
	_cleanup_(ctl_freep) char *ca = doctor_tls_config_value(config, "ca");
	_cleanup_(ctl_freep) char *crl = doctor_tls_config_value(config, "crl");
	_cleanup_(ctl_freep) char *certificate = doctor_tls_config_value(config, "certificate");
	_cleanup_(ctl_freep) char *key = doctor_tls_config_value(config, "key");
	const struct tls_files files = {ca, crl, certificate, key};

	if (*listen && strcmp(listen, "none") != 0) {
		doctor_tls_end_look(ends, TLS_HOST, "lud", &files);
	}
}

/* Without a lud on this host there is none that could listen. */
static void doctor_tls_lud_look(struct doctor_ends *ends, const struct options *options)
{
	_cleanup_(run_finip) struct run run = {0};
	_cleanup_(ctl_freep) char *build = place_build();
	_cleanup_(ctl_freep) char *beside = ctl_format("%s/orchestrator/lud", build ? build : "");
	_cleanup_(ctl_freep) char *found = doctor_find("lud");
	const char *program = access(beside, X_OK) == 0 ? beside : found;
	const char *const argv[] = {program, "--print-config", options->config ? "--config" : NULL,
	        options->config, NULL};

	if (program && run_program(argv, NULL, false, &run) == CTL_OK && run.status == 0) {
		doctor_tls_lud_judge(ends, run.out);
	}
}

/* The list ends first, most often; what was issued is in the hands of others, and is told by `luctl cert list`. */
static void doctor_tls_ca_look(struct doctor_ends *ends, const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = place_ca();
	_cleanup_(ctl_freep) char *path = ctl_format("%s/ca.crt", dir);
	_cleanup_(cert_ca_freep) struct tls_ca *ca = NULL;
	struct failure failure;

	if (access(path, F_OK) < 0) {
		return;
	}
	if (tls_ca_open(dir, &ca, &failure) < 0) {
		doctor_tls_failed(
		        ends, access(path, R_OK) < 0 ? DOCTOR_WARN : DOCTOR_BAD, "CA", &failure);
		return;
	}
	doctor_tls_end_seen(ends, tls_ca_life(ca).to, dir, "the CA");
	doctor_tls_end_seen(
	        ends, tls_crl_life(tls_ca_crl(ca)).to, dir, "the list of revoked certificates");
}

void doctor_tls(const struct options *options, struct doctor_line *line)
{
	struct doctor_ends ends = {.line = line, .first = INT64_MAX};
	char left[TEXT_SIZE];

	line->verdict = DOCTOR_OK;
	doctor_tls_hosts_look(&ends);
	doctor_tls_lud_look(&ends, options);
	doctor_tls_ca_look(&ends, options);
	if (line->verdict != DOCTOR_OK) {
		return;
	}
	if (ends.n) {
		doctor_say(line, DOCTOR_OK, NULL, "those for connections are good, for %s at least",
		        text_age((ends.first - time(NULL)) * 1000000, left));
	} else {
		doctor_say(
		        line, DOCTOR_OK, NULL, "no connections to or from other hosts are set up");
	}
}
