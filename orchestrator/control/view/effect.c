/*
 * What a generation's layout has in common with the one that ran before it, as the record has it. What
 * is not known is called unknown, with the reason: figures of another layout than the one that was
 * ordered, or zeros, would be read as good news.
 */
#include "orchestrator/control/view/view.h"

#include "host/base/file.h"

#define EFFECT_PER_PERCENT 1e4

static const char *const effect_whys[_EFFECT_FOUND_N] = {
        [EFFECT_COUNTED] = "the machine had no map of the layout before",
        [EFFECT_FIRST] = "no generation that ran before is in the record",
        [EFFECT_OTHER_RELEASE] = "another release ran before",
        [EFFECT_UNSEEN] = "the machine had made the layout before, and nobody else knows it",
        [EFFECT_GONE] = "the payload of the layout before is kept no more",
        [EFFECT_FAILED] = "luforge gave an invalid answer: see the log of lud",
};

/* Nothing is recorded: it is to be compared, or it cannot be any more. */
static const char *effect_lacks(const struct variant_row *variant)
{
	if (variant->machine_made) {
		return "the machine's result was lost";
	}
	return *variant->path ? NULL : "its payload was removed before it was compared";
}

static void effect_figures(const struct effect_row *row, Control__Effect *view)
{
	view->pieces = row->pieces;
	view->kept_address = row->kept_address;
	view->kept_base = row->kept_base;
	view->kept_before = row->kept_before;
	view->returns = row->returns;
	view->returns_address = row->returns_address;
	view->returns_base = row->returns_base;
	view->known_none = (double)row->known_none / EFFECT_PER_PERCENT;
	view->known_mean = (double)row->known_mean / EFFECT_PER_PERCENT;
	view->known_worst = (double)row->known_worst / EFFECT_PER_PERCENT;
}

static void effect_row(const struct effect_row *row, Control__Effect *view)
{
	view->against = row->against;
	if (row->found == EFFECT_COMPARED || (row->found == EFFECT_COUNTED && row->pieces)) {
		view->found = row->found == EFFECT_COMPARED ? "compared" : "counted";
		effect_figures(row, view);
	} else {
		view->why = (char *)(row->found < _EFFECT_FOUND_N ? effect_whys[row->found] : "");
	}
}

int view_effect(struct pool *pool, struct db *db, const struct generation_row *row,
        const struct variant_row *variant, Control__Effect **ret_view)
{
	Control__Effect *view = pool_zero(pool, sizeof(*view));
	struct effect_row effect;
	int r;

	if (row->state != GENERATION_RUNNING && row->state != GENERATION_PAST) {
		return 0;
	}
	control__effect__init(view);
	view->found = "unknown";
	r = store_effect_get(db, row->id, &effect);
	if (!r) {
		effect_row(&effect, view);
	} else if (r == DB_E_NONE && effect_lacks(variant)) {
		view->why = (char *)effect_lacks(variant);
	} else if (r == DB_E_NONE) {
		view->found = "pending";
	}
	*ret_view = view;
	return r == DB_E_NONE ? 0 : err_up(r);
}
