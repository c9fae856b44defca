#include "taskmanager/runtime/user_code.h"

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <memory>
#include <typeinfo>

#include "weir/error.h"

namespace weir {
namespace {

std::string current_exception_type() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : type->name();
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const FatalError& error) {
    return {error.what(), true};
  } catch (const Error& error) {
    return {error.what(), false};
  } catch (const std::exception& error) {
    return {current_exception_type() + ": " + error.what(), false};
  } catch (const std::string& text) {
    return {text, false};
  } catch (const char* text) {
    return {text, false};
  } catch (...) {
    return {"an exception of type " + current_exception_type() + " was thrown", false};
  }
}

}  // namespace weir
