# Compiler flags that hold for every target. -ffp-contract=off: clang contracts a*b+c by default, which would make
# results depend on the compiler; fused multiply-add stands only where it is written.
if(CMAKE_C_FLAGS MATCHES "fast-math|-Ofast|march=native")
  message(FATAL_ERROR "fast-math, -Ofast and -march=native are refused: results must not depend on the build machine")
endif()

add_library(fn_flags INTERFACE)
target_compile_options(fn_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wdouble-promotion -Wformat=2 -Wundef -Wvla
  -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wnull-dereference
  -ffp-contract=off -fno-math-errno -fvisibility=hidden)
target_compile_definitions(fn_flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE _FILE_OFFSET_BITS=64)
target_include_directories(fn_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
if(FN_WERROR)
  target_compile_options(fn_flags INTERFACE -Werror)
endif()
if(FN_SANITIZE)
  target_compile_options(fn_flags INTERFACE -fsanitize=${FN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(fn_flags INTERFACE -fsanitize=${FN_SANITIZE})
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(fn_flags INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong)
  target_link_options(fn_flags INTERFACE -Wl,-z,relro,-z,now)
endif()

# The same sources are built under several presets: a compiler cache, where there is one, saves most of that.
find_program(FN_CCACHE ccache)
if(FN_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${FN_CCACHE})
endif()
