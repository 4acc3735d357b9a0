/*
 * host: the person's hosts file, by command. What is added was looked at before: its files are such that a connection can be
 * made with them, and, unless the host cannot be reached yet (--offline), its lud was asked who it is. So what is in the file
 * works, or was told not to. Only the person's file is written; the system's is its administrator's.
 *
 *     host add: hosts_check_name -> host_fill -> host_ask, or stream_check_tls of its files alone -> hosts_write_own
 *
 * A file with a mistake is not written over: it is told where the mistake is, and the person mends it. So no host that
 * somebody meant to have is lost by a command that was about another one.
 */
#include "ctl/cmd/cmd.h"

#include <stdlib.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/table.h"
#include "ctl/client/command.h"
#include "ctl/client/stream_tls.h"
#include "ctl/client/target.h"
#include "ctl/hosts/hosts.h"

/* With all that the file says of it. */
static json_t *host_json(const struct hosts_entry *entry)
{
	json_t *json = json_pack("{s:s, s:s}", "name", entry->name, "file", entry->file);

	for (size_t i = 0; i < _HOSTS_KEY_N; i++) {
		json_object_set_new(
		        json, hosts_key_name((enum hosts_key)i), json_string(entry->values[i]));
	}
	return json;
}

/* A value of the command line into the entry; a path as the whole path, since the file is read from anywhere. */
static int host_set(struct hosts_entry *entry, enum hosts_key key, const char *value)
{
	_cleanup_(ctl_freep) char *option = ctl_format("--%s", hosts_key_name(key));
	_cleanup_(ctl_freep) char *path = value ? realpath(value, NULL) : NULL;

	if (!value) {
		return ctl_fail(CTL_USAGE, option, "name the file; see samsara-hosts(5)",
		        "it is missing: luctl trusts nothing that is not named");
	}
	if (!path) {
		return ctl_fail(CTL_NOT_FOUND, value, "name a file that is there",
		        "the file of %s cannot be found", option);
	}
	return hosts_set(entry, key, path);
}

/* All values of the command line; the first that is wrong is told. */
static int host_fill(struct hosts_entry *entry, const struct options *options)
{
	_cleanup_(ctl_freep) char *identity =
	        options->identity ? ctl_format("%s", options->identity)
	                          : ctl_format("samsara:host/%s", options->args[0]);
	const struct {
		enum hosts_key key;
		const char *value;
	} files[] = {{HOSTS_CA, options->ca}, {HOSTS_CRL, options->crl},
	        {HOSTS_CERTIFICATE, options->certificate}, {HOSTS_KEY, options->key}};
	int code = hosts_set(entry, HOSTS_ADDRESS, options->args[1]);

	if (code == CTL_OK) {
		code = hosts_set(entry, HOSTS_IDENTITY, identity);
	}
	for (size_t i = 0; code == CTL_OK && i < sizeof(files) / sizeof(files[0]); i++) {
		code = host_set(entry, files[i].key, files[i].value);
	}
	return code;
}

/*
 * Says who answers there, over the very connection that commands will make; --wait and the rest of the options are those of any
 * question. *ret_lud: its version, which the caller frees.
 */
static int host_ask(const struct hosts_entry *entry, const struct options *options, char **ret_lud)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__VersionRequest version = CONTROL__VERSION_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	request.body_case = CONTROL__REQUEST__BODY_VERSION;
	request.version = &version;
	target_set(entry);
	code = command_ask(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK) {
		*ret_lud = ctl_format("%s", reply->version->software);
	} else if (code == CTL_UNREACHABLE) {
		fputs("luctl: nothing was written; --offline writes the host without asking it\n",
		        stderr);
	}
	return code;
}

/* lud: that answered; "": nobody was asked. */
static void host_tell_added(
        const struct hosts_entry *entry, const struct options *options, const char *lud)
{
	if (options->json) {
		answer_add(json_pack("{s:o, s:s}", "host", host_json(entry), "lud", lud));
	} else if (*lud) {
		printf("%s: %s answers at %s as %s; written to %s\n", entry->name, lud,
		        entry->values[HOSTS_ADDRESS], entry->values[HOSTS_IDENTITY], entry->file);
	} else {
		printf("%s: written to %s; its files are good, its lud was not asked\n",
		        entry->name, entry->file);
	}
}

/* Nothing is written before the last look was good. */
static int host_add(struct hosts *hosts, const struct options *options)
{
	_cleanup_(ctl_freep) char *lud = NULL;
	struct hosts_entry *entry;
	int code = hosts_check_name(options->args[0]);

	if (code != CTL_OK) {
		return code;
	}
	entry = hosts_put(hosts, options->args[0]);
	entry->file = hosts_own_file();
	code = host_fill(entry, options);
	if (code == CTL_OK) {
		code = options->offline ? stream_check_tls(entry) : host_ask(entry, options, &lud);
	}
	if (code == CTL_OK) {
		code = hosts_write_own(hosts);
	}
	if (code == CTL_OK) {
		host_tell_added(entry, options, lud ? lud : "");
	}
	return code;
}

/* One of the same name is replaced, whatever it said. */
int cmd_host_add(const struct options *options)
{
	_cleanup_(hosts_fini) struct hosts hosts = {0};
	int code = hosts_read_own(&hosts);

	return code == CTL_OK ? host_add(&hosts, options) : code;
}

/* What --host can name, of both files, and what is asked without it. */
int cmd_host_list(const struct options *options)
{
	static const struct table_column columns[] = {
	        {"NAME", false}, {"ADDRESS", false}, {"IDENTITY", false}, {"FILE", false}};
	_cleanup_(hosts_fini) struct hosts hosts = {0};
	struct table *table;
	json_t *list;
	int code = hosts_read(&hosts);
	const char *chosen = hosts.chosen ? hosts.chosen : HOSTS_LOCAL;

	if (code != CTL_OK) {
		return code;
	}
	if (options->json) {
		list = json_array();
		for (size_t i = 0; i < hosts.n_entries; i++) {
			json_array_append_new(list, host_json(&hosts.entries[i]));
		}
		answer_add(json_pack("{s:s, s:o}", "default", chosen, "hosts", list));
		return CTL_OK;
	}
	table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	for (size_t i = 0; i < hosts.n_entries; i++) {
		const struct hosts_entry *entry = &hosts.entries[i];

		table_row(table, (const char *const[]){entry->name, entry->values[HOSTS_ADDRESS],
		                         entry->values[HOSTS_IDENTITY], entry->file});
	}
	if (hosts.n_entries) {
		table_print(table);
	} else {
		table_free(table);
	}
	printf("asked where --host is not given: %s\n", chosen);
	return CTL_OK;
}

/*
 * Only a name that is there is written, since with another one the next command would be refused. The default may
 * name a host of the system's file, too.
 */
static int host_use(struct hosts *own, const char *name, const struct options *options)
{
	_cleanup_(hosts_fini) struct hosts all = {0};
	int code = CTL_OK;

	free(own->chosen);
	own->chosen = ctl_format("%s", name);
	if (strcmp(name, HOSTS_LOCAL) != 0) {
		code = hosts_read_both(&all);
		if (code == CTL_OK && !hosts_find(&all, name)) {
			code = ctl_fail(CTL_NOT_FOUND, "host use",
			        "`luctl host list` shows those there are, `luctl host add` adds "
			        "one",
			        "there is no host `%s`", name);
		}
	}
	if (code == CTL_OK) {
		code = hosts_write_own(own);
	}
	if (code == CTL_OK && options->json) {
		answer_add(json_pack("{s:s}", "default", name));
	} else if (code == CTL_OK) {
		printf("asked where --host is not given: %s\n", name);
	}
	return code;
}

/* The person's choice goes before that of the system's file. */
int cmd_host_use(const struct options *options)
{
	_cleanup_(hosts_fini) struct hosts hosts = {0};
	int code = hosts_read_own(&hosts);

	return code == CTL_OK ? host_use(&hosts, options->args[0], options) : code;
}

/* Whoever was asked without --host is not silently replaced by another: the default goes to this host's lud, which is said. */
static int host_remove(struct hosts *hosts, const char *name, const struct options *options)
{
	bool was_chosen = hosts->chosen && !strcmp(hosts->chosen, name);
	int code;

	if (!hosts_remove(hosts, name)) {
		return ctl_fail(CTL_NOT_FOUND, "host remove",
		        "`luctl host list` shows in which file a host is; only your own is changed",
		        "there is no host `%s` in your hosts file", name);
	}
	if (was_chosen) {
		free(hosts->chosen);
		hosts->chosen = ctl_format("%s", HOSTS_LOCAL);
	}
	code = hosts_write_own(hosts);
	if (code == CTL_OK && options->json) {
		answer_add(json_pack("{s:s, s:b}", "removed", name, "was_default", was_chosen));
	} else if (code == CTL_OK) {
		printf("%s: removed%s\n", name,
		        was_chosen ? "; it was the default, which is `local` now" : "");
	}
	return code;
}

/* A host of the system's file stays. */
int cmd_host_remove(const struct options *options)
{
	_cleanup_(hosts_fini) struct hosts hosts = {0};
	int code = hosts_read_own(&hosts);

	return code == CTL_OK ? host_remove(&hosts, options->args[0], options) : code;
}
