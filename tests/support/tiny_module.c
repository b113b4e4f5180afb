/* A Redis module with commands that no table knows: TINY.SET and TINY.GET key, TINY.COUNT numkeys key ..., TINY.ADMIN.
 *
 * The few declarations of redismodule.h that it needs stand here (Redis 7.0, module API version 1).
 */

#include <stddef.h>
#include <stdint.h>

typedef struct Context Context;
typedef struct String String;
typedef struct Reply Reply;
typedef struct Command Command;
typedef int (*Handler)(Context *, String **, int);

typedef struct {
    int version;
    size_t sizeof_history, sizeof_key_spec, sizeof_argument;
} InfoVersion;

typedef struct {
    const char *notes;
    uint64_t flags;
    int begin_type;
    union { struct { int position; } index; struct { const char *keyword; int start; } keyword; } begin;
    int find_type;
    union { struct { int last, step, limit; } range; struct { int count_at, first, step; } keynum; } find;
} KeySpec;

typedef struct {
    const InfoVersion *version;
    const char *summary, *complexity, *since;
    void *history;
    const char *tips;
    int arity;
    KeySpec *key_specs;
    void *arguments;
} CommandInfo;

enum { OK = 0, FAILED = 1, BEGIN_INDEX = 2, FIND_KEYNUM = 3, READ_ONLY_ACCESS = 1 | 16 };

static int (*get_api)(const char *, void *);
static void (*set_attributes)(Context *, const char *, int, int);
static int (*create_command)(Context *, const char *, Handler, const char *, int, int, int);
static Command *(*get_command)(Context *, const char *);
static int (*set_command_info)(Command *, const CommandInfo *);
static Reply *(*call)(Context *, const char *, const char *, ...);
static int (*reply_with)(Context *, Reply *);
static int (*reply_with_number)(Context *, long long);
static int (*wrong_arity)(Context *);

static int set(Context *context, String **args, int count) {
    return count != 3 ? wrong_arity(context) : reply_with(context, call(context, "SET", "!ss", args[1], args[2]));
}

static int get(Context *context, String **args, int count) {
    return count != 2 ? wrong_arity(context) : reply_with(context, call(context, "GET", "s", args[1]));
}

static int count_keys(Context *context, String **args, int count) {
    return reply_with(context, call(context, "EXISTS", "v", args + 2, (size_t) (count - 2)));
}

static int administer(Context *context, String **args, int count) {
    (void) args;
    return reply_with_number(context, count);
}

int RedisModule_OnLoad(Context *context, String **args, int count) {
    static const InfoVersion version = {1, 24, sizeof(KeySpec), 128};
    static KeySpec key_specs[2];
    static CommandInfo info;
    (void) args;
    (void) count;
    get_api = (int (*)(const char *, void *)) (uintptr_t) ((void **) context)[0];
    get_api("RedisModule_SetModuleAttribs", &set_attributes);
    get_api("RedisModule_CreateCommand", &create_command);
    get_api("RedisModule_GetCommand", &get_command);
    get_api("RedisModule_SetCommandInfo", &set_command_info);
    get_api("RedisModule_Call", &call);
    get_api("RedisModule_ReplyWithCallReply", &reply_with);
    get_api("RedisModule_ReplyWithLongLong", &reply_with_number);
    get_api("RedisModule_WrongArity", &wrong_arity);
    set_attributes(context, "tiny", 1, 1);
    key_specs[0].flags = READ_ONLY_ACCESS;
    key_specs[0].begin_type = BEGIN_INDEX;
    key_specs[0].begin.index.position = 1;
    key_specs[0].find_type = FIND_KEYNUM;
    key_specs[0].find.keynum.first = 1;
    key_specs[0].find.keynum.step = 1;
    info.version = &version;
    info.arity = -3;
    info.key_specs = key_specs;
    if (create_command(context, "tiny.set", set, "write deny-oom", 1, 1, 1) != OK ||
        create_command(context, "tiny.get", get, "readonly fast", 1, 1, 1) != OK ||
        create_command(context, "tiny.count", count_keys, "readonly", 0, 0, 0) != OK ||
        create_command(context, "tiny.admin", administer, "admin", 0, 0, 0) != OK)
        return FAILED;
    return set_command_info(get_command(context, "tiny.count"), &info);
}
