/* Stands between a program and SoftHSM and does what real tokens do and SoftHSM does not: lock, ask
 * for the PIN on the device, disappear, fail, use the other encodings of PKCS#11. What it does now is
 * told by files in the folder $SHIM_FOLDER; every login leaves a line in its file `logins`.
 * Layout and numbers are those of PKCS#11 2.40. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long ulong;
typedef struct { ulong type; void *value; ulong length; } Attribute;
typedef struct { ulong type; void *parameter; ulong length; } Mechanism;
typedef struct { unsigned char version[2]; void *function[68]; } FunctionList;

enum { TOKEN_INFO = 6, MECHANISM_LIST = 7, LOGIN = 18, ATTRIBUTE_VALUE = 24, SIGN = 43,
       GENERATE_KEY_PAIR = 59 };
enum { PIN_INCORRECT = 0xa0, PIN_LEN_RANGE = 0xa2, PIN_LOCKED = 0xa4, DEVICE_REMOVED = 0x32,
       DOMAIN_PARAMS_INVALID = 0x130, BUFFER_TOO_SMALL = 0x150, ARGUMENTS_BAD = 0x07 };
enum { EC_PARAMS = 0x180, EC_POINT = 0x181, SHA256_RSA_PKCS_PSS = 0x43 };
enum { MAX_WRONG = 3 };

static const unsigned char ED25519[] = {6, 3, 0x2b, 0x65, 0x70};
static const unsigned char EDWARDS25519[] = "\x13\x0c" "edwards25519";

static FunctionList *real, shim;

static const char *path(const char *name) {
    static _Thread_local char buffer[4096];
    snprintf(buffer, sizeof buffer, "%s/%s", getenv("SHIM_FOLDER"), name);
    return buffer;
}

static int is(const char *mode) { return access(path(mode), F_OK) == 0; }

/* Wrong PINs since the last right one: bytes of a file, since a token counts whichever process asks. */
static int wrong_pins(void) {
    FILE *file = fopen(path("wrong"), "r");
    int count = 0;
    while (file && fgetc(file) != EOF) count++;
    if (file) fclose(file);
    return count;
}

static void count_pin(int right) {
    FILE *file = fopen(path("wrong"), right ? "w" : "a");
    if (!right) fputc('x', file);
    fclose(file);
}

static ulong token_info(ulong slot, void *info) {
    if (is("removed")) return DEVICE_REMOVED;
    ulong rv = ((ulong (*)(ulong, void *))real->function[TOKEN_INFO])(slot, info);
    ulong *flags = (ulong *)((char *)info + 96);
    int wrong = wrong_pins();
    if (rv == 0 && is("locks"))
        *flags |= (wrong ? 0x10000 : 0) | (wrong == MAX_WRONG - 1 ? 0x20000 : 0) | (wrong >= MAX_WRONG ? 0x40000 : 0);
    if (rv == 0 && is("pinpad")) *flags |= 0x100;
    return rv;
}

static ulong mechanism_list(ulong slot, ulong *list, ulong *count) {
    ulong rv = ((ulong (*)(ulong, ulong *, ulong *))real->function[MECHANISM_LIST])(slot, list, count);
    for (ulong i = 0; rv == 0 && list && i < *count; i++)
        if (is("plain-pss") && list[i] == SHA256_RSA_PKCS_PSS) list[i] = 0x80000000UL;
    return rv;
}

static ulong login(ulong session, ulong user, unsigned char *pin, ulong length) {
    char typed[64] = "";
    FILE *log = fopen(path("logins"), "a");
    fprintf(log, "%lu\n", user);
    fclose(log);
    if (is("removed")) return DEVICE_REMOVED;
    if (is("pinpad") && user != 0) {
        if (pin) return ARGUMENTS_BAD;
        FILE *file = fopen(path("pinpad"), "r");
        length = fread(typed, 1, sizeof typed, file);
        fclose(file);
        pin = (unsigned char *)typed;
    }
    if (is("locks") && wrong_pins() >= MAX_WRONG) return PIN_LOCKED;
    ulong rv = ((ulong (*)(ulong, ulong, unsigned char *, ulong))real->function[LOGIN])(session, user, pin, length);
    if (rv == PIN_INCORRECT || rv == PIN_LEN_RANGE) count_pin(0);
    if (rv == 0) count_pin(1);
    return rv;
}

/* One attribute, in the other encoding if there is one: curves by name, points bare. */
static ulong attribute(ulong session, ulong object, Attribute *wanted) {
    ulong (*get)(ulong, ulong, Attribute *, ulong) = real->function[ATTRIBUTE_VALUE];
    if (!is("other-encodings") || (wanted->type != EC_PARAMS && wanted->type != EC_POINT))
        return get(session, object, wanted, 1);
    unsigned char buffer[512], *value = buffer;
    Attribute found = {wanted->type, buffer, sizeof buffer};
    ulong rv = get(session, object, &found, 1);
    if (rv != 0 || found.length < 3 || found.length > sizeof buffer) return wanted->length = -1, rv;
    if (wanted->type == EC_POINT) value += 2, found.length -= 2;
    else if (!memcmp(buffer, ED25519, sizeof ED25519))
        memcpy(buffer, EDWARDS25519, found.length = sizeof EDWARDS25519 - 1);
    if (wanted->value && wanted->length < found.length) return wanted->length = -1, BUFFER_TOO_SMALL;
    if (wanted->value) memcpy(wanted->value, value, found.length);
    wanted->length = found.length;
    return 0;
}

static ulong attribute_value(ulong session, ulong object, Attribute *wanted, ulong count) {
    ulong rv = 0;
    for (ulong i = 0; i < count; i++) {
        ulong one = attribute(session, object, wanted + i);
        if (one) rv = one;
    }
    return rv;
}

static ulong generate(ulong session, Mechanism *mechanism, Attribute *public, ulong publics, Attribute *private,
                      ulong privates, ulong *public_key, ulong *private_key) {
    Attribute copy[32];
    memcpy(copy, public, publics * sizeof *public);
    for (ulong i = 0; i < publics; i++)
        if (is("other-encodings") && copy[i].type == EC_PARAMS) {
            if (!memcmp(copy[i].value, ED25519, sizeof ED25519)) return DOMAIN_PARAMS_INVALID;
            if (!memcmp(copy[i].value, EDWARDS25519, sizeof EDWARDS25519 - 1))
                copy[i] = (Attribute){EC_PARAMS, (void *)ED25519, sizeof ED25519};
        }
    for (ulong i = 0; i < privates; i++)
        if (is("leaky") && private[i].type == 0x162 /* CKA_EXTRACTABLE */) *(unsigned char *)private[i].value = 1;
    return ((ulong (*)(ulong, Mechanism *, Attribute *, ulong, Attribute *, ulong, ulong *, ulong *))
                real->function[GENERATE_KEY_PAIR])(session, mechanism, copy, publics, private, privates,
                                                   public_key, private_key);
}

static ulong sign(ulong session, unsigned char *data, ulong length, unsigned char *signature, ulong *size) {
    if (is("removed")) return DEVICE_REMOVED;
    ulong rv = ((ulong (*)(ulong, unsigned char *, ulong, unsigned char *, ulong *))real->function[SIGN])(
        session, data, length, signature, size);
    if (rv == 0 && signature && is("faulty")) signature[*size / 2] ^= 1;
    return rv;
}

ulong C_GetFunctionList(FunctionList **list) {
    if (!real) {
        void *library = dlopen(getenv("SHIM_REAL"), RTLD_NOW);
        ulong (*get)(FunctionList **) = library ? dlsym(library, "C_GetFunctionList") : NULL;
        if (!get || get(&real)) return 5;
        shim = *real;
        shim.function[3] = C_GetFunctionList;
        shim.function[TOKEN_INFO] = token_info;
        shim.function[MECHANISM_LIST] = mechanism_list;
        shim.function[LOGIN] = login;
        shim.function[ATTRIBUTE_VALUE] = attribute_value;
        shim.function[SIGN] = sign;
        shim.function[GENERATE_KEY_PAIR] = generate;
    }
    *list = &shim;
    return 0;
}
