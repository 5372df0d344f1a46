# The public C library in the forms that are installed: shared, static, and what pkg-config is told of them.
# fn_library(OBJECTS, EXPORTS): OBJECTS is the target of the public functions, EXPORTS the list of what is shown.
find_program(FN_OBJCOPY NAMES ${CMAKE_OBJCOPY} objcopy REQUIRED)

function(fn_library objects exports)
  add_library(fakenews_shared SHARED $<TARGET_OBJECTS:${objects}>)
  target_link_libraries(fakenews_shared PRIVATE fn_infer fn_flags)
  target_link_options(fakenews_shared PRIVATE -Wl,--version-script=${exports} -Wl,--as-needed -Wl,--gc-sections -Wl,-z,defs)
  set_target_properties(fakenews_shared PROPERTIES
    OUTPUT_NAME fakenews VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${exports}
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

  # One object of all that the public functions reach, its inner names made local, so that a program that links it may
  # use any names of its own.
  set(folders "")
  foreach(folder base config net text data tensor model eval linear audit infer)
    list(APPEND folders fn_${folder})
    list(APPEND archives $<TARGET_FILE:fn_${folder}>)
  endforeach()
  set(whole ${CMAKE_CURRENT_BINARY_DIR}/fakenews.o)
  set(archive ${CMAKE_BINARY_DIR}/libfakenews.a)
  add_custom_command(OUTPUT ${archive}
    COMMAND ${CMAKE_C_COMPILER} -r -nostdlib -o ${whole} $<TARGET_OBJECTS:${objects}> -Wl,--start-group ${archives} -Wl,--end-group
    COMMAND ${FN_OBJCOPY} --localize-hidden ${whole}
    COMMAND ${CMAKE_COMMAND} -E rm -f ${archive}
    COMMAND ${CMAKE_AR} qcs ${archive} ${whole}
    DEPENDS ${objects} ${folders} COMMAND_EXPAND_LISTS VERBATIM)
  add_custom_target(fakenews_static ALL DEPENDS ${archive})

  # Paths of fakenews.pc begin at its own place, so that `cmake --install --prefix` may put it anywhere.
  file(RELATIVE_PATH up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  string(REGEX REPLACE "/$" "" up ${up})
  configure_file(${CMAKE_SOURCE_DIR}/cmake/fakenews.pc.in ${CMAKE_BINARY_DIR}/fakenews.pc @ONLY)
  install(TARGETS fakenews_shared LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES ${archive} DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES ${CMAKE_BINARY_DIR}/fakenews.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  install(FILES ${CMAKE_SOURCE_DIR}/include/fakenews/fakenews.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/fakenews)
  install(DIRECTORY ${CMAKE_SOURCE_DIR}/examples/consumer ${CMAKE_SOURCE_DIR}/examples/python
    DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples PATTERN __pycache__ EXCLUDE PATTERN build EXCLUDE)
endfunction()
