; Compiled by nsis.py, which gives every name in ${…} that is not NSIS's own.
; Silent: Consilium-VERSION-user.exe /S [/D=FOLDER]. Exit codes: 0 done, 2 refused or failed (nothing was changed).
Unicode true
Target amd64-unicode
RequestExecutionLevel user
ManifestDPIAware true
SetCompressor /SOLID lzma
SetDateSave off
CRCCheck force
Name "${NAME}"
OutFile "${OUTPUT}"
InstallDir "$LOCALAPPDATA\Programs\${NAME}"
InstallDirRegKey HKCU "${REGISTRY}" "InstallDir"
ShowInstDetails nevershow
ShowUninstDetails nevershow
VIProductVersion "${VERSION}.0"
VIAddVersionKey "ProductName" "${NAME}"
VIAddVersionKey "CompanyName" "${PUBLISHER}"
VIAddVersionKey "FileDescription" "${NAME} ${VERSION}"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "ProductVersion" "${VERSION}"
VIAddVersionKey "LegalCopyright" "${PUBLISHER}, Apache-2.0"

!include "MUI2.nsh"
!include "LogicLib.nsh"
!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\${NAME}"
!define SHCNE_ASSOCCHANGED 0x08000000

!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"
!insertmacro MUI_LANGUAGE "French"
!insertmacro MUI_LANGUAGE "German"

LangString NEWER ${LANG_ENGLISH} "A newer version of ${NAME} is installed. Nothing was changed. Remove it first if you want this one; your data stays."
LangString NEWER ${LANG_FRENCH} "Une version plus récente de ${NAME} est installée. Rien n'a été modifié. Désinstallez-la d'abord si vous voulez celle-ci ; vos données restent."
LangString NEWER ${LANG_GERMAN} "Eine neuere Version von ${NAME} ist installiert. Nichts wurde geändert. Entfernen Sie sie zuerst, wenn Sie diese wollen; Ihre Daten bleiben."
LangString RUNS ${LANG_ENGLISH} "${NAME} is running. Nothing was changed. Quit it, also its icon beside the clock, and try again."
LangString RUNS ${LANG_FRENCH} "${NAME} est en cours d'exécution. Rien n'a été modifié. Quittez-le, aussi son icône près de l'horloge, et réessayez."
LangString RUNS ${LANG_GERMAN} "${NAME} läuft. Nichts wurde geändert. Beenden Sie es, auch das Symbol neben der Uhr, und versuchen Sie es erneut."
LangString FOREIGN ${LANG_ENGLISH} "The folder has files that are not ${NAME}'s. Nothing was changed. Choose an empty one."
LangString FOREIGN ${LANG_FRENCH} "Le dossier contient des fichiers qui ne sont pas de ${NAME}. Rien n'a été modifié. Choisissez-en un vide."
LangString FOREIGN ${LANG_GERMAN} "Im Ordner liegen Dateien, die nicht zu ${NAME} gehören. Nichts wurde geändert. Wählen Sie einen leeren."

!macro Refuse WORDS
  MessageBox MB_ICONSTOP|MB_OK "${WORDS}" /SD IDOK
  SetErrorLevel 2
  Abort
!macroend

!macro RefuseIfRunning
  ${If} ${FileExists} "$INSTDIR\${PROGRAM}"
    ClearErrors
    FileOpen $0 "$INSTDIR\${PROGRAM}" a
    ${If} ${Errors}
      !insertmacro Refuse "$(RUNS)"
    ${EndIf}
    FileClose $0
    ClearErrors
    FileOpen $0 "$INSTDIR\${WINDOW}" a
    ${If} ${Errors}
      !insertmacro Refuse "$(RUNS)"
    ${EndIf}
    FileClose $0
  ${EndIf}
!macroend

Section
  SetShellVarContext current
  SetRegView 64
  ReadRegDWORD $1 HKCU "${UNINSTALL}" "VersionCode"
  ${If} $1 > ${VERSION_CODE}
    !insertmacro Refuse "$(NEWER)"
  ${EndIf}
  !insertmacro RefuseIfRunning
  ; what a version before has installed goes first, by its own list: files that this one no longer has do not stay
  ${If} ${FileExists} "$INSTDIR\uninstall.exe"
    ClearErrors
    ExecWait '"$INSTDIR\uninstall.exe" /S _?=$INSTDIR' $2
    ${If} ${Errors}
    ${OrIf} $2 != 0
      !insertmacro Refuse "$(RUNS)"
    ${EndIf}
  ${ElseIf} ${FileExists} "$INSTDIR\*.*"
    FindFirst $3 $4 "$INSTDIR\*"
    ${DoWhile} $4 != ""
      ${If} $4 != "."
      ${AndIf} $4 != ".."
        FindClose $3
        !insertmacro Refuse "$(FOREIGN)"
      ${EndIf}
      FindNext $3 $4
    ${Loop}
    FindClose $3
  ${EndIf}

  ClearErrors
  !include "${LISTS}/install.nsh"
  SetOutPath "$INSTDIR"
  ${If} ${Errors}
    SetErrorLevel 2
    Abort
  ${EndIf}
  WriteUninstaller "$INSTDIR\uninstall.exe"
  CreateShortCut "$SMPROGRAMS\${NAME}.lnk" "$INSTDIR\${WINDOW}"

  WriteRegStr HKCU "${REGISTRY}" "InstallDir" "$INSTDIR"
  WriteRegStr HKCU "Software\Classes\${PROGID}" "" "${FILE_TYPE}"
  WriteRegStr HKCU "Software\Classes\${PROGID}\DefaultIcon" "" "$INSTDIR\${WINDOW},0"
  WriteRegStr HKCU "Software\Classes\${PROGID}\shell\open\command" "" '"$INSTDIR\${WINDOW}" open "%1"'
  WriteRegStr HKCU "Software\Classes\${EXTENSION}" "" "${PROGID}"
  System::Call 'shell32::SHChangeNotify(i ${SHCNE_ASSOCCHANGED}, i 0, p 0, p 0)'

  WriteRegStr HKCU "${UNINSTALL}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayVersion" "${VERSION}"
  WriteRegDWORD HKCU "${UNINSTALL}" "VersionCode" ${VERSION_CODE}
  WriteRegStr HKCU "${UNINSTALL}" "Publisher" "${PUBLISHER}"
  WriteRegStr HKCU "${UNINSTALL}" "DisplayIcon" "$INSTDIR\${WINDOW},0"
  WriteRegStr HKCU "${UNINSTALL}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL}" "EstimatedSize" ${SIZE_KB}
  WriteRegDWORD HKCU "${UNINSTALL}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL}" "NoRepair" 1
SectionEnd

Section "Uninstall"
  SetShellVarContext current
  SetRegView 64
  !insertmacro RefuseIfRunning
  !include "${LISTS}/uninstall.nsh"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${NAME}.lnk"
  ReadRegStr $1 HKCU "Software\Classes\${EXTENSION}" ""
  ${If} $1 == "${PROGID}"
    DeleteRegKey HKCU "Software\Classes\${EXTENSION}"
  ${EndIf}
  DeleteRegKey HKCU "Software\Classes\${PROGID}"
  DeleteRegKey HKCU "${UNINSTALL}"
  DeleteRegKey HKCU "${REGISTRY}"
  System::Call 'shell32::SHChangeNotify(i ${SHCNE_ASSOCCHANGED}, i 0, p 0, p 0)'
SectionEnd
