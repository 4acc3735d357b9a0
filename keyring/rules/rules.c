/*
 * The signer's rule file: read once at its start, asked before every signature. One invalid line
 * makes the whole file unusable, with its number, because a rule that is skipped is one that does
 * not hold. Lists add up; a limit may be given once. What no list names is not allowed, so an
 * empty file signs nothing.
 *
 * Every refusal is a sentence for the signer's log and for whoever asked. Nothing here looks at
 * keys, time or signatures.
 */
#include "keyring/rules/rules.h"

#include <string.h>

#define RULES_WORD_MAX 64u
#define RULES_NUMBER_DIGITS 18u /* no overflow */

const char rules_default_text[] =
        "# What lusign signs; see lusign(1). It reads this file when it starts.\n"
        "machine *\n"
        "service *\n"
        "action update prepare confirm restart shutdown drop standing\n"
        "machine_made *\n"
        "variant_life 604800\n"
        "order_life 1800\n"
        "standing_life 86400\n"
        "standing_every 100\n"
        "generation_max 1000000000\n"
        "transaction_max 1000000000\n"
        "floor_max 1000000\n";

/* In ->actions, behind those of orders. */
#define RULES_STANDING _ORDER_ACTION_N

static const char *const action_names[_ORDER_ACTION_N + 1] = {
        [ORDER_UPDATE] = "update",
        [ORDER_PREPARE] = "prepare",
        [ORDER_CONFIRM] = "confirm",
        [ORDER_RESTART] = "restart",
        [ORDER_SHUTDOWN] = "shutdown",
        [ORDER_DROP] = "drop",
        [RULES_STANDING] = "standing",
};

/* The text that is left of one line. */
struct rules_line {
	const char *at;
	const char *end;
};

/*
 * The next word, or "" at the end of the line; words are separated by blanks and tabs. False:
 * it is too long for any rule.
 */
static bool rules_word(struct rules_line *line, char ret_word[RULES_WORD_MAX])
{
	size_t n = 0;

	while (line->at < line->end && (*line->at == ' ' || *line->at == '\t')) {
		line->at++;
	}
	while (line->at < line->end && *line->at != ' ' && *line->at != '\t') {
		if (n + 1 == RULES_WORD_MAX) {
			return false;
		}
		ret_word[n++] = *line->at++;
	}
	ret_word[n] = '\0';
	return true;
}

static int rules_hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * "*" or 32 lower-case digits. One place stays unused, so that `to` points into the array
 * whatever n is.
 */
static bool rule_machine(struct rules *rules, const char *word)
{
	uint8_t *to = rules->machines[rules->n_machines];

	if (strcmp(word, "*") == 0) {
		rules->all_machines = true;
		return true;
	}
	if (strlen(word) != 32 || rules->n_machines == RULES_MACHINES_MAX - 1) {
		return false;
	}
	for (unsigned int i = 0; i < 16; i++) {
		int high = rules_hex_digit(word[2 * i]), low = rules_hex_digit(word[2 * i + 1]);

		if (high < 0 || low < 0) {
			return false;
		}
		to[i] = (uint8_t)(high << 4 | low);
	}
	rules->n_machines++;
	return true;
}

/*
 * The rule for names is the manifests' own: what could never be asked for is an error, not a
 * rule.
 */
static bool rules_name(
        const char *word, char (*names)[SERVICE_NAME_SIZE], uint32_t *n_names, bool *all)
{
	char *to = names[*n_names];
	size_t len = strlen(word);

	if (strcmp(word, "*") == 0) {
		*all = true;
		return true;
	}
	if (len >= SERVICE_NAME_SIZE || *n_names == RULES_SERVICES_MAX - 1) {
		return false;
	}
	memset(to, 0, SERVICE_NAME_SIZE);
	memcpy(to, word, len);
	++*n_names;
	return service_name_is_valid(to);
}

static bool rule_service(struct rules *rules, const char *word)
{
	return rules_name(word, rules->services, &rules->n_services, &rules->all_services);
}

static bool rule_machine_made(struct rules *rules, const char *word)
{
	return rules_name(word, rules->made, &rules->n_made, &rules->all_made);
}

static bool rule_action(struct rules *rules, const char *word)
{
	for (unsigned int i = ORDER_UPDATE; i <= RULES_STANDING; i++) {
		if (strcmp(word, action_names[i]) == 0) {
			rules->actions |= 1u << i;
			return true;
		}
	}
	return false;
}

/* Decimal, at most 18 digits: no overflow, no sign, no other base. */
static bool rules_number(const char *word, uint64_t *ret)
{
	uint64_t value = 0;
	size_t n = strlen(word);

	if (n < 1 || n > RULES_NUMBER_DIGITS) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (word[i] < '0' || word[i] > '9') {
			return false;
		}
		value = 10 * value + (uint64_t)(word[i] - '0');
	}
	*ret = value;
	return true;
}

/* The words behind a list's name; there must be one. */
static bool rules_list(struct rules *rules, struct rules_line *line,
        bool (*take)(struct rules *rules, const char *word))
{
	char word[RULES_WORD_MAX];
	bool good = rules_word(line, word) && *word != '\0';

	while (good && *word != '\0') {
		good = take(rules, word) && rules_word(line, word);
	}
	return good;
}

/* Where a limit goes, and its bit in ->limits. NULL: no such limit. */
static uint64_t *rules_limit(struct rules *rules, const char *name, uint32_t *ret_bit)
{
	const struct {
		const char *name;
		uint64_t *value;
	} limits[] = {
	        {"variant_life", &rules->variant_life_sec},
	        {"order_life", &rules->order_life_sec},
	        {"standing_life", &rules->standing_life_sec},
	        {"standing_every", &rules->standing_every_ms},
	        {"generation_max", &rules->generation_max},
	        {"transaction_max", &rules->transaction_max},
	        {"floor_max", &rules->floor_max},
	};

	for (unsigned int i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (strcmp(limits[i].name, name) == 0) {
			*ret_bit = 1u << i;
			return limits[i].value;
		}
	}
	return NULL;
}

/*
 * One line without its comment. False: invalid; *ret_why is set only where the usual sentence
 * would not help.
 */
static bool rules_line(struct rules *rules, struct rules_line *line, const char **ret_why)
{
	char name[RULES_WORD_MAX], word[RULES_WORD_MAX];
	uint64_t *limit;
	uint32_t bit;

	if (!rules_word(line, name)) {
		return false;
	}
	if (*name == '\0') {
		return true;
	}
	if (strcmp(name, "machine") == 0) {
		return rules_list(rules, line, rule_machine);
	}
	if (strcmp(name, "service") == 0) {
		return rules_list(rules, line, rule_service);
	}
	if (strcmp(name, "action") == 0) {
		return rules_list(rules, line, rule_action);
	}
	if (strcmp(name, "machine_made") == 0) {
		return rules_list(rules, line, rule_machine_made);
	}
	limit = rules_limit(rules, name, &bit);
	if (limit != NULL && (rules->limits & bit) != 0) {
		*ret_why = "this limit is there twice: remove one of the lines";
		return false;
	}
	rules->limits |= limit != NULL ? bit : 0;
	return limit != NULL && rules_word(line, word) && rules_number(word, limit) &&
	       rules_word(line, word) && *word == '\0';
}

/*
 * A comment ends the line's text; a NUL in the text before it is invalid, for what stands
 * behind one would be read by nobody who looks at the file. The defaults of limits are those
 * of rules_default_text.
 */
unsigned int rules_parse(
        const char *text, size_t len, struct rules *ret_rules, const char **ret_why)
{
	const char *end = text + len;
	unsigned int number = 0;

	*ret_why = "not a valid rule: lusign(1) lists the rules";
	*ret_rules = (struct rules){
	        .variant_life_sec = UINT64_C(7) * 24 * 3600,
	        .order_life_sec = 1800,
	        .standing_life_sec = STANDING_LIFE_SEC_MAX,
	        .standing_every_ms = STANDING_EVERY_MS_MIN,
	        .generation_max = 1000000000,
	        .transaction_max = 1000000000,
	        .floor_max = 1000000,
	};
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		struct rules_line line = {.at = text, .end = stop != NULL ? stop : end};
		const char *comment = memchr(line.at, '#', (size_t)(line.end - line.at));

		number++;
		text = line.end + 1;
		line.end = comment != NULL ? comment : line.end;
		if (memchr(line.at, '\0', (size_t)(line.end - line.at)) != NULL ||
		        !rules_line(ret_rules, &line, ret_why)) {
			return number;
		}
	}
	return 0;
}

static bool rules_allow_machine(const struct rules *rules, const uint8_t id[16])
{
	for (uint32_t i = 0; i < rules->n_machines; i++) {
		if (memcmp(rules->machines[i], id, 16) == 0) {
			return true;
		}
	}
	return rules->all_machines;
}

static bool rules_has_name(
        const char (*names)[SERVICE_NAME_SIZE], uint32_t n_names, const char *name)
{
	for (uint32_t i = 0; i < n_names; i++) {
		if (strncmp(names[i], name, SERVICE_NAME_SIZE) == 0) {
			return true;
		}
	}
	return false;
}

static bool rules_allow_service(const struct rules *rules, const char *name)
{
	return rules->all_services || rules_has_name(rules->services, rules->n_services, name);
}

const char *rules_refuse_variant(
        const struct rules *rules, const struct variant_manifest *variant, uint64_t life_sec)
{
	if (!rules_allow_machine(rules, variant->machine_id)) {
		return "the rule file does not name this machine";
	}
	if (!rules_allow_service(rules, variant->service)) {
		return "the rule file does not name this service";
	}
	return life_sec < 1 || life_sec > rules->variant_life_sec
	               ? "the rule file does not allow this variant_life"
	               : NULL;
}

/*
 * Each component's service, generation and who makes its layout; which release and variant it
 * names is not the rule file's business.
 */
static const char *rules_refuse_components(
        const struct rules *rules, const struct order_manifest *order)
{
	for (uint32_t i = 0; i < order->n_components; i++) {
		const struct order_component *component = &order_components(order)[i];

		if (!rules_allow_service(rules, component->service)) {
			return "the rule file does not name this service";
		}
		if (component->generation > rules->generation_max) {
			return "the generation is above the rule file's generation_max";
		}
		if (order_component_is_machine_made(order, component) && !rules->all_made &&
		        !rules_has_name(rules->made, rules->n_made, component->service)) {
			return "the rule file does not let the machine make layouts of this "
			       "service: add it to machine_made";
		}
	}
	return NULL;
}

/*
 * Machine, action, life, number, components, in this order. Of a manifest that
 * order_manifest_check() has passed: the components are all there.
 */
const char *rules_refuse_order(
        const struct rules *rules, const struct order_manifest *order, uint64_t life_sec)
{
	if (!rules_allow_machine(rules, order->machine_id)) {
		return "the rule file does not name this machine";
	}
	if (order->action >= _ORDER_ACTION_N || (rules->actions & (1u << order->action)) == 0) {
		return "the rule file does not allow this action";
	}
	if (life_sec < 1 || life_sec > rules->order_life_sec) {
		return "the rule file does not allow this order_life";
	}
	if (order->transaction > rules->transaction_max) {
		return "the transaction is above the rule file's transaction_max";
	}
	return rules_refuse_components(rules, order);
}

/* The layout of each listed service is left to the machine. One that ends another asks for no more. */
static const char *rules_refuse_standing_services(
        const struct rules *rules, const struct standing_manifest *standing)
{
	for (uint32_t i = 0; i < standing->n_services; i++) {
		const char *service = standing_services(standing)[i].service;

		if (!rules_allow_service(rules, service)) {
			return "the rule file does not name this service";
		}
		if (!rules->all_made && !rules_has_name(rules->made, rules->n_made, service)) {
			return "the rule file does not let the machine make layouts of this "
			       "service: add it to machine_made";
		}
	}
	return NULL;
}

const char *rules_refuse_standing(
        const struct rules *rules, const struct standing_manifest *standing, uint64_t life_sec)
{
	if (!rules_allow_machine(rules, standing->machine_id)) {
		return "the rule file does not name this machine";
	}
	if ((rules->actions & (1u << RULES_STANDING)) == 0) {
		return "the rule file does not allow standing orders: add `standing` to action";
	}
	if (life_sec < 1 || life_sec > rules->standing_life_sec) {
		return "the rule file does not allow this standing_life";
	}
	if (standing->n_services > 0 && standing->every_ms < rules->standing_every_ms) {
		return "the pause is below the rule file's standing_every";
	}
	return rules_refuse_standing_services(rules, standing);
}

const char *rules_refuse_statement(
        const struct rules *rules, const struct statement_manifest *statement)
{
	if (!rules_allow_machine(rules, statement->machine_id)) {
		return "the rule file does not name this machine";
	}
	for (uint32_t i = 0; i < statement->n_services; i++) {
		const struct statement_service *service = &statement_services(statement)[i];

		if (!rules_allow_service(rules, service->service)) {
			return "the rule file does not name this service";
		}
		if (service->generation > rules->generation_max) {
			return "a generation is above the rule file's generation_max";
		}
		if (service->floor > rules->floor_max) {
			return "a floor is above the rule file's floor_max";
		}
	}
	return NULL;
}
