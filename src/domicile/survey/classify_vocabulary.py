"""Words that column and table names are made of, by what they say about the column. Data only.

Phrases are written joined, folded to ASCII and lower case (`dateofbirth`, `strasse`), in English,
Dutch, German, French, Spanish, Italian and Portuguese as they occur in real schemas. Categories
are keys of Fideslang 3.1.4. `classify_names.py` says how a name is matched against them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

OPERATIONS: Final = "system.operations"


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PERSONAL: Final = {
    "user.contact.email": """
        email emailaddress emailaddr mail mailaddress mailadresse emailadres emailadresse eposta
        courriel adresseemail adressemail correo correoelectronico direccioncorreo pendingemail
        recoveryemail billingemail contactemail indirizzoemail usermail primaryemail
        secondaryemail altemail replyto paypalemail
    """,
    "user.contact.phone_number": """
        phone phonenumber phoneno phonenr telephone telephonenumber tel telno telnr telefon
        telefonnummer telefoonnummer telefoon telefono numerotelefono mobile mobilenumber
        mobileno mobilephone mobiel mobielnummer mobil mobilnummer handy handynummer cell
        cellphone cellnumber gsm gsmnummer msisdn portable movil celular homephone workphone
        smsnumber whatsapp contactnumber numerodetelephone rufnummer teltelephone telefone
    """,
    "user.contact.fax_number": "fax faxnumber faxno faxnr faxnummer telefax telecopie",
    "user.name.first": """
        mi firstname fname givenname givennames forename vorname voornaam roepnaam prenom
        primernombre nombrepila firstnames initials voorletters middlename middleinitial
        secondname
    """,
    "user.name.last": """
        lastname lname surname familyname nachname familienname achternaam tussenvoegsel
        nomdefamille nomfamille apellido apellidos cognome maidenname geburtsname meisjesnaam
        mothersmaidenname sobrenome
    """,
    "user.name": """
        fullname displayname personname realname legalname contactname accountname cardholder
        cardholdername accountholder kontoinhaber rekeninghouder ownername volledigenaam
        vollstandigername nomcomplet nomprenom nombrecompleto nomecompleto commentername
        recipient recipientname contactperson contactpersoon ansprechpartner beneficiaryname
        payeename holder naamhouder author authorname artistname composer guardianname
        parentname emergencycontact nextofkin salutation anrede aanhef signedby
    """,
    "user.account.username": """
        assignee assignedto username login loginname userlogin handle screenname nickname nick
        gebruikersnaam benutzername nomutilisateur nombreusuario nomedeusuario preferredusername
        useralias pseudo identifiant usuario logon logonname uname accounthandle channelhandle
        twitterhandle instagram twitter skype skypename slackname telegramhandle discordtag
        gamertag benutzerkennung aanmeldnaam
    """,
    "user.authorization.password": """
        password passwd pwd pass passwordhash hashedpassword encryptedpassword passwordsalt salt
        passworddigest passwort kennwort wachtwoord motdepasse contrasena clave passphrase
        userpass passhash authenticationstring passwordhistory
    """,
    "user.authorization.credentials": """
        token accesstoken refreshtoken authtoken apitoken apikey secret secretkey clientsecret
        privatekey otpsecret totpsecret mfasecret recoverycode recoverycodes backupcodes
        resettoken resetpasswordtoken confirmationtoken rememberme remembertoken rememberdigest
        verificationtoken sessiontoken bearertoken jwt oauthtoken pin pincode pinhash
        securityanswer securityquestion feedtoken streamkey runnertoken registrationtoken
        jobtoken csrf invitetoken unlocktoken authkey accesskey processingjobtoken activationkey
        activationcode verificationcode magiclink credential credentials toegangscode otp
        otpcode totp webauthn fcmtoken pushtoken
    """,
    "user.authorization.biometric": "faceid touchid biometrictemplate facetemplate",
    "user.demographic.date_of_birth": """
        dateofbirth birthdate birthday dob born bornon borndate birthyear yearofbirth birthmonth
        birthdt geburtsdatum geburtstag gebdatum gebdat geboren geboortedatum geboortejaar
        gebdat datenaissance datedenaissance fechanacimiento fechadenacimiento datanascita
        datadinascita datanascimento nacimiento naissance
    """,
    "user.demographic.age_range": "age agerange agegroup agebracket alter leeftijd edad eta "
    "leeftijdscategorie altersgruppe isminor minor ageband",
    "user.demographic.gender": "gender sex sexe sexo geslacht geschlecht genre sesso genero "
    "gendercode pronouns pronoun gendr",
    "user.demographic.language": """
        preferredlanguage nativelanguage mothertongue moedertaal muttersprache locale userlocale
        languagepreference langpref spokenlanguages taalvoorkeur videolanguages
    """,
    "user.demographic.marital_status": """
        maritalstatus burgerlijkestaat familienstand etatcivil estadocivil ismarried married
        maritalst
    """,
    "user.demographic.race_ethnicity": "race ethnicity ethnicgroup etniciteit ethnie etnia "
    "ethniccode raceethnicity",
    "user.demographic.religious_belief": "religion religiousbelief faith konfession godsdienst "
    "religieux religione denomination",
    "user.demographic.political_opinion": "politicalparty politicalopinion partyaffiliation "
    "politiekevoorkeur partei",
    "user.demographic.sexual_orientation": "sexualorientation seksuelevoorkeur ",
    "user.demographic.profile": "bio biography aboutme selfdescription profiletext",
    "user.demographic": """
        staatsangehoerigkeit nationalitaet nationality nationaliteit nationalitat nationalite
        nacionalidad staatsangehorigkeit citizenship placeofbirth birthplace geburtsort
        geboorteplaats lieunaissance lugarnacimiento education educationlevel householdsize
        veteranstatus birthcountry countryofbirth numchildren kinderanzahl
    """,
    "user.contact.address.street": """
        address addr addressline street streetaddress streetname streetnumber housenumber
        houseno huisnummer hausnummer huisnr hausnr strasse str straat straatnaam adres adresse
        anschrift rue adressepostale calle direccion indirizzo via domicilio shippingaddress
        billingaddress homeaddress postaladdress mailingaddress deliveryaddress woonadres
        wohnadresse voie apartment aptno unitnumber toevoeging endereco
    """,
    "user.contact.address.city": """
        city town cityname stad woonplaats plaats plaatsnaam ort stadt wohnort ville commune
        ciudad localidad poblacion citta comune municipality gemeente shippingcity billingcity
        cidade
    """,
    "user.contact.address.postal_code": """
        postalcode postcode zip zipcode plz postleitzahl codepostal codigopostal postnr pcode
        zippostal billingzip shippingzip cep
    """,
    "user.contact.address.state": """
        stcode stcd province provincie provincia region district bundesland county stateprovince
        statecode provincecode billingstate shippingstate prefecture kanton canton
    """,
    "user.contact.address.country": """
        country countrycode countryname land landcode landkuerzel pays codepays pais paese
        nation residencecountry billingcountry shippingcountry countryofresidence homecountry
        countryiso iso2 iso3 staat
    """,
    "user.contact.organization": """
        company companyname employer werkgever arbeitgeber entreprise empresa azienda firma
        firmenname bedrijf bedrijfsnaam organisation organization orgname societe razonsocial
        school schoolname university
    """,
    "user.contact.url": "website homepage homepageurl websiteurl webseite siteweb profileurl "
    "linkedin linkedinurl facebookurl twitterurl githuburl blogurl externalchannelurl blog",
    "user.location.precise": """
        latitude longitude lat lng lon latlng latlong geo geolocation geopoint gps
        gpscoordinates coordinates coords geom location breitengrad laengengrad breedtegraad
        lengtegraad latitud longitud latitudine lastlocation
    """,
    "user.location.imprecise": "timezone tz timezonename tzname zeitzone tijdzone fuseauhoraire "
    "subdivisionname geocity geocountry geoip iplocation ipcountry ipcity",
    "user.device.ip_address": """
        ip ipaddress ipaddr ipv4 ipv6 clientip remoteip remoteaddr remoteaddress lastip
        lastloginip signinip currentsigninip lastsigninip sourceip srcip ipadres ipadresse
        adresseip direccionip xforwardedfor hostip userip registrationip createdip signupip
    """,
    "user.device.device_id": """
        deviceid deviceidentifier imei meid serialnumber serialno macaddress mac macaddr udid
        idfa idfv gaid advertisingid adid androidid devicetoken devicefingerprint hardwareid
        iccid imsi wifimac bluetoothmac geraeteid
    """,
    "user.device.cookie_id": "cookieid cookie sessionid sessionkey visitorid gaclientid "
    "trackingid anonymousid sessid phpsessid",
    "user.device": "useragent browser browserversion devicemodel deviceos devicename devicetype "
    "osversion ua platformversion screenresolution",
    "user.financial.bank_account": """
        iban bic swift bankaccount bankaccountnumber accountnumber accountno kontonummer kontonr
        rekeningnummer bankrekening ribnumber cuentabancaria numerocuenta sortcode routingnumber
        bsbnumber bankleitzahl blz ibannumber numerocompte
    """,
    "user.financial.credit_card": """
        cardlast cclast creditcard creditcardnumber cardnumber cardno ccnumber ccnum pan cvv cvc
        cardcvv cardexpiry ccexp cardlast4 cardlastfour kreditkarte kreditkartennummer
        creditcardnummer cartecredit tarjetacredito cardexpiration cardtype cardbrand cclast4
    """,
    "user.financial": """
        stipendio stipendium lonn salary income wage gehalt salaris loon lohn salaire salario
        sueldo revenu ingresos balance accountbalance saldo kontostand creditlimit creditscore
        networth hourlyrate bonus annualincome monthlyincome debt monthlysalary commissionpct
    """,
    "user.payment": "paymentmethod stripecustomerid paypalid paymentreference mandatereference "
    "chequenumber paymenttoken paymentdetails zahlungsart betaalmethode",
    "user.government_id.national_identification_number": """
        ssn socialsecuritynumber socialsecurity socialsecurityno bsn burgerservicenummer
        sofinummer nationalid nationalidnumber nationalinsurancenumber nino steuerid
        steueridentnummer steuernummer taxid taxidentificationnumber tin
        sozialversicherungsnummer svnummer rijksregisternummer insz numerosecusociale
        numerosecuritesociale nir dni nif nie codicefiscale codfiscale cpf pesel personnummer
        cpr cprnummer ahvnummer aadhaar aadhaarnumber idcardnumber personalid
        personalausweisnummer curp rfc idnr egn jmbg sin tcno numeross
    """,
    "user.government_id.passport_number": """
        passport passportnumber passportno reisepass reisepassnummer paspoort paspoortnummer
        numeropasseport pasaporte numeropasaporte
    """,
    "user.government_id.drivers_license_number": """
        driverslicense driverlicense driverslicensenumber driverlicenseno licencenumber
        drivinglicence rijbewijs rijbewijsnummer fuehrerschein fuhrerschein fuhrerscheinnummer
        permisconduire carnetconducir licenseno
    """,
    "user.government_id.vehicle_registration": "licenseplate numberplate platenumber kenteken "
    "kennzeichen immatriculation matricula vin vehicleregistration plateno",
    "user.government_id.immigration": "visanumber visano residencepermit aliennumber "
    "verblijfsvergunning greencardnumber",
    "user.health_and_medical": """
        diagnosis diagnose icd10 icdcode bloodtype bloodgroup blutgruppe bloedgroep allergy
        allergies allergien medication medicine medikament prescription symptoms condition
        disability handicap weightkg heightcm bmi bloodpressure heartrate smoker pregnant
        treatment vaccination vaccine labresult healthcondition behinderung beperking enfermedad
        maladie systolic diastolic glucose medischegegevens
    """,
    "user.health_and_medical.record_id": "mrn medicalrecordnumber patientnumber "
    "patientnr nhsnumber healthcardnumber patientennummer patientnummer",
    "user.health_and_medical.insurance_beneficiary_id": "insurancenumber insuranceid policyholder "
    "healthinsurancenumber versichertennummer krankenversicherungsnummer polisnummer "
    "krankenkassennummer memberinsuranceid",
    "user.health_and_medical.genetic": "genotype dnasample dnasequence genome",
    "user.biometric": "fingerprint retinascan irisscan voiceprint faceembedding facedescriptor "
    "vingerafdruk fingerabdruck empreinte",
    "user.content.self_image": """
        bild lichtbild profilbilder avatar avatarurl photo photourl profilephoto profilepicture
        profilepic profileimage picture foto fotoperfil portrait selfie pasfoto avatarpath
        profielfoto profilbild
    """,
    "user.content.private": """
        message messagetext messagebody dm chatmessage privatenote internalnote letter bericht
        nachricht mensaje emailbody subject smsbody registrationreason moderationresponse
        blockedreason complaint transcript
    """,
    "user.content.public": """
        comment comments commenttext review reviewtext post posttext caption reply commentbody
        reviewbody bewertung kommentar opmerking opmerkingen commentaire commentaires comentario
        comentarios bemerkung feedback testimonial
    """,
    "user.behavior": """
        lastlogin lastloginat lastlogindate lastseen lastseenat lastactive lastactivity
        lastvisit lastsignin lastsigninat currentsigninat lastaccess signincount logincount
        lastonline visitcount referrer referer utmsource utmmedium utmcampaign landingpage
        loyaltypoints watchtime clickcount sessionduration letzteanmeldung laatstelogin
        timespent steps lastlog
    """,
    "user.behavior.browsing_history": "pageurl pageviewed visitedurl browsinghistory pagepath "
    "currenturl clickedurl pagetitle",
    "user.behavior.media_consumption": "watchedat watchposition watchprogress watchstart watchend "
    "playcount lastplayed favouritevideo favoritevideo favouritegenre watchhistory listenedat",
    "user.behavior.purchase_history": "orderdate purchasedate lastorderdate lastpurchase "
    "purchasehistory orderhistory totalspent lifetimevalue orderscount besteldatum bestelldatum "
    "lastorder totalpurchases invoicedate rentaldate rentedat ordertotal",
    "user.behavior.search_history": "searchquery searchterm searchterms searchphrase querystring "
    "zoekterm suchbegriff searchtext",
    "user.privacy_preferences": """
        consent consentgiven marketingconsent marketingoptin optin optout newsletter
        newsletteroptin subscribed emailoptin smsoptin gdprconsent toestemming einwilligung
        privacysettings donottrack cookieconsent acceptsmarketing emailpublic unsubscribed
        consentat termsaccepted marketingemails consenttimestamp
    """,
    "user.job_title": "jobtitle job functie functietitel berufsbezeichnung beruf beroep "
    "occupation profession metier puesto cargo jobrole fonction",
    "user.workplace": "department afdeling abteilung departement "
    "employeeid employeenumber personeelsnummer personalnummer badgenumber "
    "hiredate hiredon terminationdate datumindienst eintrittsdatum matricule staffnumber "
    "mitarbeiternummer employeeno",
    "user.social": "friendcount followercount followerscount followingcount friends followers",
    "user.criminal_history": "criminalrecord conviction convictions strafblad vorstrafen offense",
    "user.childrens": "childname childage childbirthdate guardianconsent parentalconsent "
    "kindname childfirstname parentemail",
    "user.unique_id": """
        externaluserid facebookid googleid appleid twitterid githubid openid ssoid ldapdn samlid
        globaluserid customernumber customerno klantnummer kundennummer numeroclient
        numerocliente membernumber lidnummer mitgliedsnummer ahvid loyaltycardnumber publickey
        studentnumber membershipno rfid customercode
    """,
    "user.account.settings": "theme usersettings preferences useroptions notificationsettings "
    "voorkeuren einstellungen autoplayvideo darkmode nsfwpolicy",
}

_STRUCTURE: Final = """
        method reference source capacity opened closed openedat statuscode typecode revenue id
        ids uuid guid pk fk key rowid seq sequence sequencenumber version revision rev status
        state flag type kind typ soort class category categorie kategorie count cnt total number
        no nr num order sort sortorder ordinal position rank priority weight level index idx
        offset length size width height bytes filesize duration resolution bitrate fps created
        createdat createdon createddate creationdate createdate updated updatedat updatedon
        modified modifiedat modifiedon modifieddate lastupdate lastupdated lastmodified deleted
        deletedat deletedon insertedat timestamp ts datetime publishedat processedat startedat
        finishedat expiresat expires expiry expireson archivedat syncedat completedat closedat
        scheduledat validfrom validto startdate enddate starttime endtime startat endat duedate
        releasedate releaseyear year month day verified confirmed emailverified phoneverified
        enabled disabled active activebool inactive isactive isdeleted blocked locked banned
        visible hidden public private published default required approved featured primary
        remote local read archived aangemaakt aangemaaktop gewijzigd gewijzigdop erstelltam
        erstellt geandertam geaendertam geandert aktiv actief actif activo creele modifiele
        fechacreacion fechaalta creado actualizado datecreation datemodification datemaj
        checksum md5 sha1 sha256 hash digest etag infohash filename filepath path mimetype
        contenttype extension extname slug url uri link href fileurl host hostname port currency
        currencycode language lang languagecode languageid price unitprice amount quantity qty
        stock sku ean upc isbn barcode tax taxrate vat discount subtotal cost rate percentage
        percent ratio factor fee replacementcost rentalrate mwst btw preis prijs prix precio
        betrag bedrag montant importe menge aantal anzahl cantidad quantite colour color icon
        format encoding unit units config configuration metadata options flags permissions role
        roles scope scopes grants environment quota privacy strategy engine policy grade retries
        attempts failures error errorcode errormessage exitcode progress retrycount parentid
        tenantid batchid jobid migrationversion release build licence license views likes
        dislikes rating stars createdby updatedby modifiedby tag tags label model brand supplier
        product artikel warehouse shelf storage code redirecturis clientid platform direction
        kategoria aspect schema tablename payloadversion lockversion tstamp lastsync
    """

ABBREVIATIONS: Final = MappingProxyType({
    "nm": "name", "cd": "code", "cty": "city", "ph": "phone", "dt": "date", "amt": "amount",
    "lst": "last", "updt": "update", "stat": "status", "desc": "description", "cntry": "country",
    "ctry": "country", "bday": "birthday", "pwd": "password", "img": "image",
})  # fmt: skip
"""Words that older schemas cut short, and what they stand for."""

# What a thing is called or said to be: who it is about depends on the table.
NAMING: Final = _set(
    "name naam nom nombre nome bezeichnung titel title titre titulo titolo label names"
)
PROSE: Final = _set("""
        description descr desc beschreibung beschrijving omschrijving descripcion descrizione
        text tekst texte texto content body note notes notitie notities notiz notizen notas
        remark remarks about summary details info support reason motivo grund reden inhalt
        inhoud abstract excerpt keywords explanation answer question listname words
    """)

PEOPLE: Final = _set("""
        user users customer customers client clients person people persons patient patients
        employee employees staff member members student students subscriber subscribers contact
        contacts account accounts profile profiles lead leads guest guests driver drivers
        applicant applicants candidate candidates teacher teachers doctor doctors donor donors
        voter voters passenger passengers visitor visitors buyer buyers seller sellers author
        authors participant participants pupil pupils guardian guardians child children resident
        residents holder actor actors registration registrations owner owners reviewer
        recipients beneficiary beneficiaries worker klant klanten gebruiker gebruikers
        medewerker medewerkers persoon personen lid leden leerling leerlingen deelnemer kunde
        kunden benutzer nutzer mitarbeiter mitglied mitglieder schueler teilnehmer
        ansprechpartner utilisateur utilisateurs salarie salaries personne personnes adherent
        adherents usuario usuarios cliente clientes empleado empleados persona personas paciente
        pacientes alumno alumnos socio socios utente utenti dipendenti patienten patientin
        artist composer crew manager borrower hire employe employes viewer viewers player
        players attendee attendees rider riders citizen citizens inhabitant
    """)

ADDRESSES: Final = _set(
    "address addresses adres adressen adresse adresses direccion direcciones anschrift "
    "anschriften indirizzi location locations"
)

BEHAVIOUR: Final = _set("""
        history view views watch watches rental rentals rating ratings rate like likes vote
        votes play plays event events session sessions search searches visit visits click clicks
        login logins order orders purchase purchases cart carts subscription subscriptions
        follow follows activity activities log logs booking bookings reservation reservations
        payment payments invoice invoices bestelling bestellingen bestellung bestellungen
        commande commandes pedido pedidos factuur facturen rechnung rechnungen facture factures
        factura facturas stream streams favourite favourites favorite favorites wishlist
        bookmark bookmarks download downloads enrolment enrollment notification notifications
        attempt attempts trip trips ride rides reactions reaction response responses visita
        bezoek besuch appointment appointments workout workouts measurement measurements
    """)

GEOGRAPHY: Final = _set("""
        city cities country countries region regions state states province provinces provincie
        provincies municipality municipalities gemeente gemeenten district districts county
        counties land lander laender pays ville villes pais paises ciudad ciudades stad steden
        postcode postcodes zipcode zipcodes zip postal currency currencies timezone timezones
        locale locales language languages continent continents territory territories stadt
        stadte
    """)


def _phrases() -> dict[str, str]:
    found: dict[str, str] = dict.fromkeys(_STRUCTURE.split(), OPERATIONS)
    for category, words in _PERSONAL.items():
        found.update(dict.fromkeys(words.split(), category))
    return found


PHRASES: Final = MappingProxyType(_phrases())
"""Every joined phrase and its category; personal meanings win over structural ones."""

LONGEST: Final = max(len(phrase) for phrase in PHRASES)
"""Characters of the longest phrase: nothing longer needs a look-up."""
