/*
 * What a CA has issued, and who is believed no more: list, revoke, crl. The list of revoked certificates is what hosts
 * look at, and each of them has a copy, so whoever revokes one has to carry the new list to all of them; it ends by
 * itself, so that a copy that nobody renews lets nobody in.
 *
 * A certificate stands in one of these ways, in words that are the same with --json:
 *
 *     valid  soon  expired  not-yet     by the clock; soon: in the last third of its life
 *     revoked                           whatever the clock says
 *     damaged                           a file in issued/ that is no certificate of this CA, or of another number
 *
 * Nobody is warned of what is revoked, or of a certificate that another one of the same name follows. A warning makes
 * no command fail; a damaged file does, since somebody other than the CA has written there.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "ctl/base/answer.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/cmd/cert.h"
#include "ctl/cmd/cmd.h"

/* As of now. */
static enum tls_standing list_standing(const struct tls_life *life)
{
	return tls_life_standing(life, time(NULL));
}

/* "revoked" and "damaged" are no matter of time. */
static const char *list_state(const struct tls_issued *issued)
{
	if (!issued->certificate) {
		return "damaged";
	}
	return issued->is_revoked ? "revoked" : tls_standing_name(list_standing(&issued->life));
}

/* What is damaged has a file, and nothing else. */
static json_t *list_row_json(const struct tls_issued *issued)
{
	char name[TLS_IDENTITY_SIZE] = "";

	if (issued->certificate) {
		tls_identity_print(&issued->who, name);
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "identity", name, "serial",
	        issued->serial, "file", issued->path, "state", list_state(issued), "not_before",
	        (json_int_t)issued->life.from, "not_after", (json_int_t)issued->life.to,
	        "revoked_at", (json_int_t)(issued->is_revoked ? issued->revocation.at : 0),
	        "reason", issued->is_revoked ? tls_reason_name(issued->revocation.reason) : "");
}

static void list_json(const struct tls_ca *ca, const char *dir, const struct tls_issued_list *list)
{
	struct tls_life life = tls_ca_life(ca), crl = tls_crl_life(tls_ca_crl(ca));
	json_t *rows = json_array();

	for (size_t i = 0; i < list->n; i++) {
		json_array_append_new(rows, list_row_json(&list->rows[i]));
	}
	answer_add(json_pack("{s:s, s:I, s:s, s:I, s:s, s:o}", "ca", dir, "not_after",
	        (json_int_t)life.to, "state", tls_standing_name(list_standing(&life)), "crl_next",
	        (json_int_t)crl.to, "crl_state", tls_standing_name(list_standing(&crl)),
	        "certificates", rows));
}

/* The caller frees. */
static char *list_state_text(const struct tls_issued *issued)
{
	char at[TEXT_SIZE];

	if (issued->certificate && issued->is_revoked) {
		return ctl_format("revoked %s (%s)", text_seconds(issued->revocation.at, at),
		        tls_reason_name(issued->revocation.reason));
	}
	if (issued->certificate && list_standing(&issued->life) == TLS_SOON) {
		return ctl_format("ends soon");
	}
	return ctl_format("%s", list_state(issued));
}

/* People see names and numbers; where the files are is told with --json. */
static void list_print(const struct tls_issued_list *list)
{
	static const struct table_column columns[] = {
	        {"IDENTITY", false},
	        {"SERIAL", false},
	        {"VALID UNTIL", false},
	        {"STATE", false},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < list->n; i++) {
		const struct tls_issued *issued = &list->rows[i];
		_cleanup_(ctl_freep) char *state = list_state_text(issued);
		char name[TLS_IDENTITY_SIZE] = "-", until[TEXT_SIZE];

		if (issued->certificate) {
			tls_identity_print(&issued->who, name);
		}
		table_row(table, (const char *const[]){name, issued->serial,
		                         text_seconds(issued->life.to, until), state});
	}
	table_print(table);
}

/* A warning where there is a reason for one: it makes no command fail. */
static void list_warn(
        const char *place, const char *what, const char *remedy, const struct tls_life *life)
{
	static const char *const words[_TLS_STANDING_N] = {
	        [TLS_SOON] = "ends on",
	        [TLS_EXPIRED] = "has ended on",
	        [TLS_NOT_YET] = "is not valid before",
	};
	enum tls_standing standing = list_standing(life);
	char at[TEXT_SIZE];

	if (words[standing]) {
		(void)ctl_fail(CTL_OK, place, remedy, "%s %s %s", what, words[standing],
		        text_seconds(standing == TLS_NOT_YET ? life->from : life->to, at));
	}
}

/* What ends soon or has ended; of a name only the newest one, and nothing of what is revoked. */
static int list_judge(const struct tls_ca *ca, const char *dir, const struct tls_issued_list *list)
{
	struct tls_life life = tls_ca_life(ca), crl = tls_crl_life(tls_ca_crl(ca));
	int code = CTL_OK;

	list_warn(dir, "the CA",
	        "make another one with `luctl cert init` in another directory, and have both "
	        "believed until all certificates are the new one's",
	        &life);
	list_warn(dir, "the list of revoked certificates",
	        "sign the next one with `luctl cert crl`, and carry ca.crl to every host", &crl);
	for (size_t i = 0; i < list->n; i++) {
		const struct tls_issued *issued = &list->rows[i];
		char name[TLS_IDENTITY_SIZE];

		if (!issued->certificate) {
			code = ctl_fail(CTL_TRUST, issued->path,
			        "put a copy of it back, or move it away: nobody but the CA writes "
			        "here",
			        "it is damaged, or not a certificate that this CA issued under "
			        "this "
			        "number");
		} else if (cert_newest(list, &issued->who) == issued) {
			tls_identity_print(&issued->who, name);
			list_warn(name, "its certificate",
			        "sign another one with `luctl cert renew`, or revoke it if nobody "
			        "needs it",
			        &issued->life);
		}
	}
	return code;
}

/* All of it: a CA for a few hosts and people has a few hundred at most. The key is not needed. */
int cmd_cert_list(const struct options *options)
{
	_cleanup_(ctl_freep) char *dir = cert_ca_dir(options);
	_cleanup_(cert_ca_freep) struct tls_ca *ca = NULL;
	_cleanup_(tls_issued_list_fini) struct tls_issued_list list = {NULL, 0};
	struct failure failure;
	char until[TEXT_SIZE], next[TEXT_SIZE];
	int code = cert_ca_open(options, &ca);
	int r;

	if (code != CTL_OK) {
		return code;
	}
	r = tls_ca_list(ca, &list, &failure);
	if (r < 0) {
		return cert_fail(r, &failure);
	}
	if (options->json) {
		list_json(ca, dir, &list);
	} else {
		list_print(&list);
		printf("%s: valid until %s; its list of revoked certificates has %zu, and lasts "
		       "until %s\n",
		        dir, text_seconds(tls_ca_life(ca).to, until), tls_crl_count(tls_ca_crl(ca)),
		        text_seconds(tls_crl_life(tls_ca_crl(ca)).to, next));
		fflush(stdout);
	}
	return list_judge(ca, dir, &list);
}

/* What is to be revoked: rows of the list. */
struct cert_chosen {
	const ASN1_INTEGER **serials;
	size_t n;
	json_t *names; /* their numbers */
};

/* A number may have been given beside the name that it is of. */
static bool cert_revoke_has(const struct cert_chosen *chosen, const ASN1_INTEGER *serial)
{
	size_t i = 0;

	while (i < chosen->n && chosen->serials[i] != serial) {
		i++;
	}
	return i < chosen->n;
}

/* All of a name, or the one of a number, that are not revoked yet. False: there is nothing of that name or number. */
static bool cert_revoke_choose(
        const struct tls_issued_list *list, const char *word, struct cert_chosen *chosen)
{
	struct tls_identity who;
	bool is_name = tls_identity_read(word, &who) == 0, is_found = false;

	for (size_t i = 0; i < list->n; i++) {
		const struct tls_issued *issued = &list->rows[i];
		const ASN1_INTEGER *serial;

		if (!issued->certificate || (is_name ? !cert_is_of(issued, &who)
		                                     : strcasecmp(issued->serial, word) != 0)) {
			continue;
		}
		is_found = true;
		serial = X509_get0_serialNumber(issued->certificate);
		if (!issued->is_revoked && !cert_revoke_has(chosen, serial)) {
			chosen->serials[chosen->n++] = serial;
			json_array_append_new(chosen->names, json_string(issued->serial));
		}
	}
	return is_found;
}

/* Everything that the command line names, or nothing: a word that is mistyped must not look revoked. */
static int cert_revoke_choose_all(const struct options *options, const struct tls_issued_list *list,
        struct cert_chosen *chosen)
{
	for (int i = 0; i < options->n_args; i++) {
		if (!cert_revoke_choose(list, options->args[i], chosen)) {
			return ctl_fail(CTL_NOT_FOUND, options->args[i],
			        "`luctl cert list` shows names and numbers; nothing was revoked",
			        "no certificate of this name or number was issued here");
		}
	}
	return CTL_OK;
}

/* The list that the CA has now. */
static void cert_crl_show(const struct options *options, const struct tls_ca *ca, json_t *revoked)
{
	_cleanup_(ctl_freep) char *dir = cert_ca_dir(options);
	_cleanup_(ctl_freep) char *path = ctl_format("%s/ca.crl", dir);
	int64_t end = tls_crl_life(tls_ca_crl(ca)).to;
	size_t count = tls_crl_count(tls_ca_crl(ca));
	char until[TEXT_SIZE];

	if (options->json) {
		answer_add(json_pack("{s:s, s:I, s:I, s:O}", "crl", path, "crl_next",
		        (json_int_t)end, "count", (json_int_t)count, "revoked", revoked));
		return;
	}
	for (size_t i = 0; i < json_array_size(revoked); i++) {
		printf("%s: revoked\n", json_string_value(json_array_get(revoked, i)));
	}
	printf("%s: has %zu revoked certificates, and lasts until %s; carry it to every host\n",
	        path, count, text_seconds(end, until));
}

/* Reads all that was issued, since the line names people and not files. */
static int cert_revoke_in(struct tls_ca *ca, const struct options *options, enum tls_reason reason,
        const struct tls_terms *terms)
{
	_cleanup_(tls_issued_list_fini) struct tls_issued_list list = {NULL, 0};
	_cleanup_(ctl_freep) const ASN1_INTEGER **serials = NULL;
	struct cert_chosen chosen = {.names = json_array()};
	struct failure failure;
	int code = CTL_OK;
	int r = tls_ca_list(ca, &list, &failure);

	if (r == 0) {
		serials = ctl_zero((list.n * (size_t)options->n_args + 1) * sizeof(*serials));
		chosen.serials = serials;
		code = cert_revoke_choose_all(options, &list, &chosen);
	}
	if (r == 0 && code == CTL_OK) {
		r = tls_ca_revoke(ca, chosen.serials, chosen.n, reason, terms, &failure);
	}
	if (r < 0) {
		code = cert_fail(r, &failure);
	}
	if (code == CTL_OK) {
		cert_crl_show(options, ca, chosen.names);
	}
	json_decref(chosen.names);
	return code;
}

/* By names or numbers. Whether a reason is one is looked at before anything is opened. */
int cmd_cert_revoke(const struct options *options)
{
	_cleanup_(cert_ca_freep) struct tls_ca *ca = NULL;
	enum tls_reason reason =
	        *options->reason ? tls_reason_find(options->reason) : TLS_UNSPECIFIED;
	struct tls_terms terms;
	int code = cert_terms(options, TLS_CRL_DAYS, &terms);

	if (reason == _TLS_REASON_N) {
		return ctl_fail(CTL_USAGE, "--reason", tls_reason_names(),
		        "`%s` is none that a list of revoked certificates has", options->reason);
	}
	if (code == CTL_OK) {
		code = cert_ca_open(options, &ca);
	}
	return code == CTL_OK ? cert_revoke_in(ca, options, reason, &terms) : code;
}

/* The same list for another time. Nobody is revoked by it, and nobody forgiven. */
int cmd_cert_crl(const struct options *options)
{
	_cleanup_(cert_ca_freep) struct tls_ca *ca = NULL;
	struct tls_terms terms;
	struct failure failure;
	json_t *none;
	int code = cert_terms(options, TLS_CRL_DAYS, &terms);
	int r;

	if (code == CTL_OK) {
		code = cert_ca_open(options, &ca);
	}
	if (code != CTL_OK) {
		return code;
	}
	r = tls_ca_renew_crl(ca, &terms, &failure);
	if (r < 0) {
		return cert_fail(r, &failure);
	}
	none = json_array();
	cert_crl_show(options, ca, none);
	json_decref(none);
	return CTL_OK;
}
